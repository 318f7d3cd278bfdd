"""What the other services know: whether a manifest is committed, and whether a grant lives.

Asked fresh for each command, never cached; a service that does not answer means UNAVAILABLE.
"""

import grpc
import structlog

from assay.approval.v1.approval_service_pb2 import CheckGrantRequest, CheckGrantResponse
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.artifact.v1.artifact_service_pb2 import GetManifestRequest
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from assay.artifact.v1.resources_pb2 import Manifest
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import AliasName, ArtifactName, StageName, VersionName
from assay_events.decider import Rejection
from assay_events.errors import Unavailable
from assay_serve.peers import PeerChannels

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def committed_manifest(peers: PeerChannels, name: ArtifactName) -> Manifest:
    """Return a committed manifest without its files; refuse one that is not committed."""
    request = GetManifestRequest(name=str(name), without_files=True)
    try:
        answer = await ArtifactServiceStub(peers.channel("artifact")).GetManifest(request)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise Rejection(
                Reason.REASON_MANIFEST_MISSING,
                f"Commit the manifest {name} first.",
                name=str(name),
            ) from error
        raise _away("artifact", error) from error
    return answer.manifest


async def manifest_with_files(peers: PeerChannels, name: ArtifactName) -> Manifest:
    """Return a committed manifest with its files."""
    request = GetManifestRequest(name=str(name))
    try:
        answer = await ArtifactServiceStub(peers.channel("artifact")).GetManifest(request)
    except grpc.aio.AioRpcError as error:
        raise _away("artifact", error) from error
    return answer.manifest


async def check_grant(
    peers: PeerChannels,
    target: AliasName | StageName,
    version: VersionName,
    manifest_digest: str,
    tier: str,
    approval: str = "",
) -> CheckGrantResponse:
    """Return whether a policy governs the target, and the approval that lets the version in.

    `tier` is the model's.
    """
    request = CheckGrantRequest(
        target=str(target),
        version=str(version),
        manifest_digest=manifest_digest,
        approval=approval,
        tier=tier,
    )
    try:
        return await ApprovalServiceStub(peers.channel("approval")).CheckGrant(request)
    except grpc.aio.AioRpcError as error:
        raise _away("approval", error) from error


def _away(peer: str, error: grpc.aio.AioRpcError) -> Unavailable:
    log.warning("peer.refused", peer=peer, code=error.code().name, cause=error.details())
    return Unavailable(f"Try again: the {peer} service did not answer.")
