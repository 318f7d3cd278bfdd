"""Many names asked for at once: as many calls as the services want, one answer."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from google.protobuf.message import Message

from assay import references
from assay.cli.command import Context
from assay.cli.moments import moment_or_now
from assay.errors import Invalid
from assay.metadata.v1 import metadata_service_pb2 as api

_MOST_NAMES = 1000
_Answer = TypeVar("_Answer", bound=Message)


def get_models(context: Context, names: Sequence[str], as_of: str) -> api.BatchGetModelsResponse:
    """Return the models of those names that are there, and which names are not."""
    whole = [str(references.model(name, context.namespace)) for name in names]
    moment = moment_or_now(as_of)

    def ask(parent: str, some: Sequence[str]) -> api.BatchGetModelsResponse:
        request = api.BatchGetModelsRequest(parent=parent, names=some, as_of=moment)
        return context.client.metadata.BatchGetModels(request)

    return _merged(api.BatchGetModelsResponse(), whole, ask)


def get_versions(
    context: Context, names: Sequence[str], as_of: str
) -> api.BatchGetModelVersionsResponse:
    """Return the versions of those names that are there, and which names are not."""
    whole = [str(references.version(name, context.namespace)) for name in names]
    moment = moment_or_now(as_of)

    def ask(parent: str, some: Sequence[str]) -> api.BatchGetModelVersionsResponse:
        request = api.BatchGetModelVersionsRequest(parent=parent, names=some, as_of=moment)
        return context.client.metadata.BatchGetModelVersions(request)

    return _merged(api.BatchGetModelVersionsResponse(), whole, ask)


def resolve(context: Context, names: Sequence[str], as_of: str) -> api.BatchResolveResponse:
    """Return what each alias or stage points at, in the order of `names`."""
    moment = moment_or_now(as_of)

    def ask(parent: str, some: Sequence[str]) -> api.BatchResolveResponse:
        request = api.BatchResolveRequest(parent=parent, names=some, as_of=moment)
        return context.client.metadata.BatchResolve(request)

    return _merged(api.BatchResolveResponse(), names, ask)


def _merged(
    whole: _Answer, names: Sequence[str], ask: Callable[[str, Sequence[str]], _Answer]
) -> _Answer:
    for parent, some in _portions(names):
        for answer in _answers(parent, some, ask):
            whole.MergeFrom(answer)
    return whole


def _portions(names: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield neighbours of one namespace, at most as many as a call may name."""
    for parent, group in groupby(names, key=lambda name: "/".join(name.split("/")[:2])):
        some = list(group)
        for begin in range(0, len(some), _MOST_NAMES):
            yield parent, some[begin : begin + _MOST_NAMES]


def _answers(
    parent: str, names: Sequence[str], ask: Callable[[str, Sequence[str]], _Answer]
) -> Iterator[_Answer]:
    """Yield the answer for the names, in halves where it is too large for one."""
    try:
        yield ask(parent, names)
    except Invalid as refusal:
        if refusal.reason != "TOO_LARGE" or len(names) == 1:
            raise
        half = len(names) // 2
        yield from _answers(parent, names[:half], ask)
        yield from _answers(parent, names[half:], ask)
