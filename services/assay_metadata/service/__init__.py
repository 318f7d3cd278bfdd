"""The gRPC service of metadata: a file a resource, put together in `metadata.py`."""
