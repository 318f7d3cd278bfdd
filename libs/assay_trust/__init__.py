"""Pure cryptography: bytes in, verdict out; knows no protobuf."""
