"""The rules of a blob: sent under one list of parts, stored once the store has proven its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from assay.artifact.v1.events_pb2 import BlobStored, UploadBegun
from assay.artifact.v1.resources_pb2 import Proof
from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Decider, Rejection


@dataclass(frozen=True, slots=True)
class BeginUpload:
    """Note the store's upload of a blob's parts; the upload `previous_upload_id` is gone."""

    blob: str
    size_bytes: int
    part_size_bytes: int
    parts_digest: bytes
    upload_id: str
    previous_upload_id: str = ""


@dataclass(frozen=True, slots=True)
class StoreBlob:
    """Note that the blob lies in the store, which has proven it as `proof` says."""

    blob: str
    size_bytes: int
    proof: Proof.ValueType
    parts_digest: bytes = b""
    store_etag: str = ""


@dataclass(frozen=True, slots=True)
class Blob:
    """What the rules remember of a blob; `proof` is unspecified until it is stored."""

    name: str = ""
    size_bytes: int = 0
    parts_digest: bytes = b""
    upload_id: str = ""
    proof: Proof.ValueType = Proof.PROOF_UNSPECIFIED

    @property
    def is_stored(self) -> bool:
        """Whether its bytes lie in the store, proven."""
        return self.proof != Proof.PROOF_UNSPECIFIED

    def is_claimed_as(self, size_bytes: int, parts_digest: bytes) -> bool:
        """Return whether a claim names the same size and parts."""
        return (self.size_bytes, self.parts_digest) == (size_bytes, parts_digest)


Command: TypeAlias = BeginUpload | StoreBlob
Event: TypeAlias = UploadBegun | BlobStored


def decide(command: Command, state: Blob) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal where a rule forbids it."""
    match command:
        case BeginUpload():
            return _begin(command, state)
        case StoreBlob():
            return _store(command, state)
    assert_never(command)


def evolve(state: Blob, event: Event) -> Blob:
    """Return the state after `event`."""
    match event:
        case UploadBegun():
            return Blob(event.name, event.size_bytes, event.parts_digest, event.upload_id)
        case BlobStored():
            return replace(
                state,
                name=event.name,
                size_bytes=event.size_bytes,
                parts_digest=event.parts_digest,
                proof=event.proof,
            )
    assert_never(event)


def check_claim(blob: str, state: Blob, size_bytes: int, parts_digest: bytes) -> None:
    """Refuse a claim with other parts than those known: knowing a digest alone opens nothing."""
    if state.name and not state.is_claimed_as(size_bytes, parts_digest):
        raise Rejection(
            Reason.REASON_PARTS_CONFLICT,
            f"Check the file and its digests: {blob} is known with another size or other parts.",
            name=blob,
        )


def _begin(command: BeginUpload, state: Blob) -> Sequence[Event]:
    check_claim(command.blob, state, command.size_bytes, command.parts_digest)
    if state.is_stored or state.upload_id != command.previous_upload_id:
        return []  # the upload that others have begun meanwhile stands
    return [
        UploadBegun(
            name=command.blob,
            size_bytes=command.size_bytes,
            part_size_bytes=command.part_size_bytes,
            parts_digest=command.parts_digest,
            upload_id=command.upload_id,
            previous_upload_id=command.previous_upload_id,
        )
    ]


def _store(command: StoreBlob, state: Blob) -> Sequence[Event]:
    # The store has hashed the whole of a single PUT: that outweighs a session, which only claims.
    if state.is_stored or command.proof != Proof.PROOF_SHA256:
        check_claim(command.blob, state, command.size_bytes, command.parts_digest)
    if state.is_stored:
        return []
    return [
        BlobStored(
            name=command.blob,
            size_bytes=command.size_bytes,
            proof=command.proof,
            parts_digest=command.parts_digest,
            store_etag=command.store_etag,
        )
    ]


BLOB: Decider[Command, Blob, Event] = Decider(
    context="artifact",
    aggregate="blob",
    initial=Blob(),
    decide=decide,
    evolve=evolve,
    events=(UploadBegun, BlobStored),
)
