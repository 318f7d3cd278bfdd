"""Where the bytes of a blob lie in the bucket."""

from assay.names import ArtifactName


def key_of(name: ArtifactName) -> str:
    """Return the key of a blob, as in default/blobs/sha256/9f/9f86…."""
    algorithm, _, digest = name.artifact.partition("-")
    return f"{name.namespace}/blobs/{algorithm}/{digest[:2]}/{digest}"
