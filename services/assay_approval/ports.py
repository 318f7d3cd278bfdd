"""What lies outside: what metadata and lineage know of a version, asked fresh."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc
import structlog

from assay.error.v1.error_reason_pb2 import Reason
from assay.lineage.v1.lineage_service_pb2 import GetRunRequest
from assay.lineage.v1.lineage_service_pb2_grpc import LineageServiceStub
from assay.lineage.v1.resources_pb2 import Run
from assay.metadata.v1.metadata_service_pb2 import GetModelRequest, GetModelVersionRequest
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay.names import ModelName, VersionName
from assay_approval.cel.facts import Dataset, Lineage
from assay_events.decider import NotFound, Rejection
from assay_events.errors import Unavailable
from assay_serve.peers import PeerChannels

_MOST_ANCESTORS = 100
_Answer = TypeVar("_Answer")

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version came from, and who ran the training of it and of what it was made from."""

    lineage: Lineage
    trainers: tuple[str, ...]


class Surroundings(Protocol):
    """The other services, as far as an approval needs them."""

    async def version(self, name: VersionName, at_least_as_fresh: str) -> ModelVersion:
        """Return a version, no older than a token; raise NotFound or Unavailable."""
        ...

    async def model(self, name: ModelName, at_least_as_fresh: str) -> Model:
        """Return a model, no older than a token; raise NotFound or Unavailable."""
        ...

    async def origin(self, version: ModelVersion, at_least_as_fresh: str) -> Origin:
        """Return where a version came from, no older than a token."""
        ...


class Peers:
    """The other services over gRPC."""

    def __init__(self, channels: PeerChannels) -> None:
        """Ask over the channels to `metadata` and `lineage`."""
        self._channels = channels

    async def version(self, name: VersionName, at_least_as_fresh: str) -> ModelVersion:
        """Return a version, no older than a token."""
        request = GetModelVersionRequest(name=str(name), at_least_as_fresh=at_least_as_fresh)
        stub = MetadataServiceStub(self._channels.channel("metadata"))
        answer = await _asked("metadata", str(name), lambda: stub.GetModelVersion(request))
        return answer.model_version

    async def model(self, name: ModelName, at_least_as_fresh: str) -> Model:
        """Return a model, no older than a token."""
        request = GetModelRequest(name=str(name), at_least_as_fresh=at_least_as_fresh)
        stub = MetadataServiceStub(self._channels.channel("metadata"))
        return (await _asked("metadata", str(name), lambda: stub.GetModel(request))).model

    async def origin(self, version: ModelVersion, at_least_as_fresh: str) -> Origin:
        """Follow the runs of a version and of what it was made from; a run may not be recorded."""
        own = await self._run(version.run, at_least_as_fresh)
        trainers, seen = dict[str, None](), {version.name}
        waiting = [version]
        while waiting:
            if len(seen) > _MOST_ANCESTORS:
                words = f"Approve by hand: more than {_MOST_ANCESTORS} versions went into it."
                raise Rejection(Reason.REASON_TOO_LARGE, words, version=version.name)
            each = waiting.pop()
            run = await self._run(each.run, at_least_as_fresh)
            trainers.update(dict.fromkeys([run.creator] if run.creator else []))
            parents = {*each.parent_versions, *run.input_versions} - seen
            seen |= parents
            named = map(VersionName.parse, sorted(parents))
            waiting += [await self.version(name, at_least_as_fresh) for name in named]
        return Origin(_lineage(version, own, tuple(trainers)), tuple(trainers))

    async def _run(self, name: str, at_least_as_fresh: str) -> Run:
        """Return a run, an empty one where none is named or it was never recorded."""
        if not name:
            return Run()
        request = GetRunRequest(name=name, at_least_as_fresh=at_least_as_fresh)
        stub = LineageServiceStub(self._channels.channel("lineage"))
        try:
            return (await _asked("lineage", name, lambda: stub.GetRun(request))).run
        except NotFound:
            return Run()


def _lineage(version: ModelVersion, run: Run, trainers: tuple[str, ...]) -> Lineage:
    datasets = [Dataset(each.display_name, each.digest) for each in run.input_datasets]
    inputs = sorted({*run.input_versions, *version.parent_versions})
    return Lineage(version.run, trainers, datasets, inputs)


async def _asked(peer: str, name: str, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Return a peer's answer about `name`; raise NotFound or Unavailable."""
    try:
        return await ask()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise NotFound(name) from error
        log.warning("peer.refused", peer=peer, code=error.code().name, cause=error.details())
        raise Unavailable(f"Try again: the {peer} service did not answer.") from error
