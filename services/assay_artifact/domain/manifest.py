"""The rules of a manifest: committed once, when each of its blobs is stored, and there for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from assay.artifact.v1.events_pb2 import ManifestCommitted
from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Decider, Rejection

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CommitManifest:
    """Let a list of files be a version's; `missing` has the digests of blobs not stored."""

    manifest: str
    manifest_digest: str
    file_count: int
    size_bytes: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the rules remember of a manifest; `name` is empty before it is committed."""

    name: str = ""
    manifest_digest: str = ""
    file_count: int = 0
    size_bytes: int = 0


Event: TypeAlias = ManifestCommitted


def decide(command: CommitManifest, state: Manifest) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal where a rule forbids it."""
    if state.name:
        return []
    if command.missing:
        raise _blobs_missing(command)
    return [
        ManifestCommitted(
            name=command.manifest,
            manifest_digest=command.manifest_digest,
            file_count=command.file_count,
            size_bytes=command.size_bytes,
        )
    ]


def evolve(_state: Manifest, event: Event) -> Manifest:
    """Return the state after `event`."""
    return Manifest(event.name, event.manifest_digest, event.file_count, event.size_bytes)


def _blobs_missing(command: CommitManifest) -> Rejection:
    first, count = command.missing[:_SHOWN], len(command.missing)
    return Rejection(
        Reason.REASON_BLOBS_MISSING,
        f"Upload all files before committing: {count} are not stored with the size that you give.",
        name=command.manifest,
        missing=" ".join(first),
        missing_count=str(count),
    )


MANIFEST: Decider[CommitManifest, Manifest, Event] = Decider(
    context="artifact",
    aggregate="manifest",
    initial=Manifest(),
    decide=decide,
    evolve=evolve,
    events=(ManifestCommitted,),
)
