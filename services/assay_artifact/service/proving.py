"""The store's own proof that an object has the bytes that were claimed."""

from assay.artifact.v1.resources_pb2 import Proof
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import ArtifactName
from assay_artifact.domain.claim import Claim
from assay_artifact.ports import checksums
from assay_artifact.ports.blob_store import BlobStore, Head, Missing
from assay_artifact.service.places import key_of
from assay_events.decider import Rejection


async def prove(blobs: BlobStore, name: ArtifactName, claim: Claim) -> Head:
    """Return what the store has; refuse bytes that are not there, or are not those of the claim."""
    try:
        head = await blobs.head(key_of(name))
    except Missing:
        raise bytes_missing(name, "Send its bytes first.") from None
    if not is_proven(head, claim):
        raise mismatch(name)
    return head


async def is_there(blobs: BlobStore, name: ArtifactName, claim: Claim) -> bool:
    """Return whether the store has the claimed bytes as one object."""
    try:
        return is_proven(await blobs.head(key_of(name)), claim)
    except Missing:
        return False


def is_proven(head: Head, claim: Claim) -> bool:
    """Return whether the store itself has computed the claimed checksum over as many bytes."""
    return (head.size_bytes, head.checksum) == (claim.size_bytes, _checksum(claim))


def proof_of(claim: Claim) -> Proof.ValueType:
    """Return what the store's checksum proves."""
    return Proof.PROOF_SHA256 if claim.is_single else Proof.PROOF_COMPOSITE_SHA256


def mismatch(name: ArtifactName) -> Rejection:
    """Return the refusal of bytes that are not those of the claim."""
    return Rejection(
        Reason.REASON_DIGEST_MISMATCH,
        f"Hash the file again and send it again: the store has other bytes for {name}.",
        name=str(name),
    )


def bytes_missing(name: ArtifactName, what_to_do: str, parts: str = "") -> Rejection:
    """Return the refusal to record a blob whose bytes are not all there."""
    metadata = {"name": str(name), **({"parts": parts} if parts else {})}
    return Rejection(
        Reason.REASON_BLOBS_MISSING, f"{name} is not in the store. {what_to_do}", **metadata
    )


def _checksum(claim: Claim) -> str:
    if claim.is_single:
        return checksums.of_whole(claim.sha256)
    return checksums.of_parts(claim.parts_digest, len(claim.part_digests))
