"""The calls of the artifact service."""
