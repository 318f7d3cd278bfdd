"""The rules of blobs and manifests."""
