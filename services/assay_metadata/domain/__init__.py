"""The rules of namespaces and models."""
