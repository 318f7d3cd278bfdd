"""What the other services know: whether a manifest is committed, and whether a grant lives.

Known fresh for each command. What an event of theirs says is read from the stream, where the broker
lets nobody else write; what they alone can tell is asked, and no answer means UNAVAILABLE.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Never, Protocol

import grpc
import structlog

from assay.approval.v1.approval_service_pb2 import CheckGrantRequest, CheckGrantResponse
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.artifact.v1.artifact_service_pb2 import GetManifestRequest
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.artifact.v1.events_pb2 import ManifestCommitted
from assay.artifact.v1.resources_pb2 import Manifest
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import AliasName, ArtifactName, StageName, VersionName
from assay_events.commands import Commands
from assay_events.decider import Decider, Forbidden, Rejection
from assay_events.errors import Unavailable
from assay_serve.peers import PeerChannels

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
# What lies elsewhere may claim no digest: no signature covers it, so that no grant lets it in.
_NO_FILES = f"sha256:{64 * '0'}"


# A manifest as its one event tells it; to commit one is the artifact service's alone.
_COMMITTED: Decider[Never, ManifestCommitted, ManifestCommitted] = Decider(
    context="artifact",
    aggregate="manifest",
    initial=ManifestCommitted(),
    decide=lambda _command, _state: (),
    evolve=lambda _state, event: event,
    events=(ManifestCommitted,),
)


async def committed_manifest(commands: Commands, name: ArtifactName) -> Manifest:
    """Return a committed manifest without its files; refuse one that is not committed."""
    committed = (await commands.fold(_COMMITTED, str(name))).state
    if not committed.name:
        raise Rejection(
            Reason.REASON_MANIFEST_MISSING, f"Commit the manifest {name} first.", name=str(name)
        )
    return Manifest(
        name=committed.name,
        manifest_digest=committed.manifest_digest,
        file_count=committed.file_count,
        size_bytes=committed.size_bytes,
    )


async def manifest_with_files(peers: PeerChannels, name: ArtifactName) -> Manifest:
    """Return a committed manifest with its files."""
    request = GetManifestRequest(name=str(name))
    try:
        answer = await ArtifactServiceStub(peers.channel("artifact")).GetManifest(request)
    except grpc.aio.AioRpcError as error:
        raise _away("artifact", error) from error
    return answer.manifest


class Model(Protocol):
    """What decides which policies govern a model, beside its lasting name."""

    @property
    def tier(self) -> str:
        """How much depends on it."""
        ...

    @property
    def other_names(self) -> Sequence[str]:
        """The ids that it was given later; each leads to it."""
        ...


async def check_grant(
    peers: PeerChannels,
    target: AliasName | StageName,
    version: VersionName,
    manifest_digest: str,
    model: Model,
    approval: str = "",
) -> CheckGrantResponse:
    """Return whether a policy governs the target, and the approval that lets the version in.

    Refuse where one governs it by another name of the model: approvals are about the lasting one.
    """
    request = CheckGrantRequest(
        target=str(target),
        version=str(version),
        manifest_digest=manifest_digest or _NO_FILES,
        approval=approval,
        tier=model.tier,
    )
    answer = await _ask(peers, request)
    for other in model.other_names:
        request.target = str(replace(target, model=other))
        foreign = await _ask(peers, request)
        for policy in foreign.policies:
            if policy not in answer.policies:
                raise _governed_elsewhere(target, other, policy.name)
    return answer


def _governed_elsewhere(target: AliasName | StageName, other: str, version: str) -> Forbidden:
    policy = version.rpartition("/versions/")[0]
    return Forbidden(
        Reason.REASON_APPROVAL_REQUIRED,
        f"Have {policy} name the model {target.model} too: it governs {other}, which leads there.",
        target=str(target),
        policy=policy,
    )


async def _ask(peers: PeerChannels, request: CheckGrantRequest) -> CheckGrantResponse:
    try:
        return await ApprovalServiceStub(peers.channel("approval")).CheckGrant(request)
    except grpc.aio.AioRpcError as error:
        raise _away("approval", error) from error


def _away(peer: str, error: grpc.aio.AioRpcError) -> Unavailable:
    log.warning("peer.refused", peer=peer, code=error.code().name, cause=error.details())
    return Unavailable(f"Try again: the {peer} service did not answer.")
