"""What lies outside: the metadata service, asked for the facts about a version."""

import math
import unicodedata
from collections.abc import Mapping
from typing import Protocol

import grpc
import structlog

from assay.metadata.v1.metadata_service_pb2 import GetModelVersionRequest
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.names import VersionName
from assay_events.decider import NotFound
from assay_events.errors import Unavailable
from assay_serve.peers import PeerChannels
from assay_trust import canonical, digests

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Versions(Protocol):
    """Where versions are known."""

    async def get(self, name: VersionName, at_least_as_fresh: str) -> ModelVersion:
        """Return a version, no older than a token; raise NotFound or Unavailable."""
        ...


class MetadataVersions:
    """Versions as the metadata service knows them."""

    def __init__(self, channels: PeerChannels) -> None:
        """Ask over the channel to `metadata`."""
        self._channels = channels

    async def get(self, name: VersionName, at_least_as_fresh: str) -> ModelVersion:
        """Return a version, no older than a token."""
        request = GetModelVersionRequest(name=str(name), at_least_as_fresh=at_least_as_fresh)
        stub = MetadataServiceStub(self._channels.channel("metadata"))
        try:
            answer = await stub.GetModelVersion(request)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise NotFound(str(name)) from error
            log.warning(
                "peer.refused", peer="metadata", code=error.code().name, cause=error.details()
            )
            raise Unavailable("Try again: the metadata service did not answer.") from error
        return answer.model_version


def evidence(version: ModelVersion, most_bytes: int) -> bytes:
    """Return what was looked at, as canonical JSON; metrics that are too many by their digest."""
    facts: dict[str, canonical.Value] = {
        "version": version.name,
        "manifest_digest": version.manifest_digest,
        "run": version.run,
        "creator": version.creator,
        "size_bytes": str(version.size_bytes),
        "file_count": str(version.file_count),
    }
    if version.external_uri:  # nobody here has the files: the digest is the registrant's word
        facts["external_uri"] = version.external_uri
    metrics = _metrics(version)
    spelled = b",".join(canonical.encode(metric) for metric in metrics)
    if len(spelled) < most_bytes:  # else it is too long for the canonical form, too
        whole = canonical.encode({**facts, "metrics": metrics})
        if len(whole) <= most_bytes:
            return whole
    return canonical.encode({**facts, "metrics_digest": digests.sha256(spelled)})


def _metrics(version: ModelVersion) -> list[Mapping[str, canonical.Value]]:
    """Return the measured numbers, as text."""
    return [
        {
            "key": unicodedata.normalize("NFC", metric.key),
            "value": _number(metric.value),
            "unit": unicodedata.normalize("NFC", metric.unit),
            "dataset": unicodedata.normalize("NFC", metric.dataset),
        }
        for metric in version.metrics
    ]


def _number(value: float) -> str:
    """Return the shortest decimal that reads back as `value`."""
    return repr(value) if math.isfinite(value) else str(value)
