"""The object store: what the service needs of it, and S3."""
