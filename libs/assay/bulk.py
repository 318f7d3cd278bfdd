"""Bulk: whole models out of a registry and into one, by the batch, going on where it stopped."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import grpc

from assay.calls import RetryPolicy, is_retryable
from assay.errors import AssayError, Invalid, Unavailable, from_rpc
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.names import AliasName, ModelName, StageName, VersionName

if TYPE_CHECKING:
    from assay.client import Client

MOST_ITEMS = 500
MOST_BYTES = 4 * 1024 * 1024
_AHEAD = 3  # batches that are sent before the first of them is answered


@dataclass(frozen=True, slots=True)
class Imported:
    """How far an import is.

    Attributes:
        items: Items that are written, by this call or before it.
        batches: Batches that hold them.
        known_batches: Those of them that were written before.
        written_versions: Versions that this call wrote.
        consistency_token: Token of a position after all that.
    """

    items: int = 0
    batches: int = 0
    known_batches: int = 0
    written_versions: int = 0
    consistency_token: str = ""


class Listener(Protocol):
    """Is called after each batch, in the thread of the import."""

    def __call__(self, imported: Imported, /) -> None:
        """Take note of how far the import is."""


def ignore(_: Imported) -> None:
    """Show nothing."""


def import_items(
    client: "Client",
    items: Iterable[api.ImportItem],
    *,
    import_id: str,
    listen: Listener = ignore,
    retries: RetryPolicy | None = None,
) -> Imported:
    """Write all items, in their order, and return how much was written.

    An import that was stopped, wherever, goes on with the same `import_id` and the same items: what
    is written already is recognised and not written again. The first refused batch ends it; batches
    before that one stay written, and so does the right to go on once the item is mended.

    Args:
        client: The client of the registry.
        items: Models, versions, aliases and stages by their whole names. What belongs to one model
            should stand together: neighbours share a batch.
        import_id: UUID of the import.
        listen: Is told after each batch.
        retries: How often a batch is sent again when the registry is away.

    Raises:
        AssayError: An item was refused; `metadata` has the `batch` and the `item`.
    """
    return _Import(client, import_id, listen, retries or RetryPolicy()).run(batches(items))


def export_items(
    client: "Client", parent: str, *, request: api.ExportRequest | None = None
) -> Iterator[api.ImportItem]:
    """Yield all items of a model or a namespace, in the order in which they can be imported.

    Args:
        client: The client of the registry.
        parent: Resource name of the model or the namespace.
        request: What else is asked, such as `as_of`.
    """
    asked = api.ExportRequest()
    asked.CopyFrom(request or asked)
    asked.parent = parent
    asked.at_least_as_fresh = asked.at_least_as_fresh or client.consistency_token
    call = client.metadata.Export(asked)
    try:
        for part in call:
            yield from part.items
    except grpc.RpcError as failure:
        raise from_rpc(failure) from failure
    finally:
        call.cancel()


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one model that are written together."""

    number: int
    model: str
    items: tuple[api.ImportItem, ...]


def batches(items: Iterable[api.ImportItem]) -> Iterator[Batch]:
    """Cut items into batches, always the same for the same items."""
    number, model, size = 1, "", 0
    gathered = list[api.ImportItem]()
    for item in items:
        own = model_of(item)
        is_full = len(gathered) == MOST_ITEMS or size > MOST_BYTES
        if gathered and (is_full or own != model):
            yield Batch(number, model, tuple(gathered))
            gathered, number, size = [], number + 1, 0
        gathered.append(item)
        model, size = own, size + item.ByteSize()
    if gathered:
        yield Batch(number, model, tuple(gathered))


def model_of(item: api.ImportItem) -> str:
    """Return the resource name of the model that an item is about."""
    match item.WhichOneof("item"):
        case "model":
            return str(ModelName.parse(item.model.name))
        case "changed_model":
            return str(ModelName.parse(item.changed_model.name))
        case "model_version":
            return str(VersionName.parse(item.model_version.name).parent)
        case "alias":
            return str(AliasName.parse(item.alias.name).parent)
        case "stage":
            return str(StageName.parse(item.stage.name).parent)
    raise Invalid("Fill each item to import.", reason="REQUIRED")


_Requests: TypeAlias = "queue.SimpleQueue[api.ImportRequest | None]"


@dataclass(slots=True)
class _Import:
    """One import, over as many calls as it takes."""

    client: "Client"
    import_id: str
    listen: Listener
    policy: RetryPolicy
    done: Imported = Imported()
    unanswered: deque[Batch] = field(default_factory=deque)
    failures: int = 0

    def run(self, coming: Iterator[Batch]) -> Imported:
        """Send batches until all are answered."""
        while True:
            try:
                self._call(coming)
            except grpc.RpcError as failure:
                time.sleep(self._delay_after(failure))
            else:
                return self.done

    def _call(self, coming: Iterator[Batch]) -> None:
        """Send what was not answered, and what comes, in one call."""
        requests: _Requests = queue.SimpleQueue()
        for batch in self.unanswered:
            requests.put(self._request(batch))
        call = self.client.metadata.Import(iter(requests.get, None))
        try:
            while self._send_more(coming, requests):
                answer = next(call, None)
                if answer is None:
                    raise Unavailable("The registry ended the import early; run it again.")
                self._take(answer)
        finally:
            requests.put(None)
            call.cancel()

    def _send_more(self, coming: Iterator[Batch], requests: _Requests) -> bool:
        """Send batches ahead; return whether an answer is to come."""
        while len(self.unanswered) < _AHEAD and (batch := next(coming, None)):
            self.unanswered.append(batch)
            requests.put(self._request(batch))
        return bool(self.unanswered)

    def _take(self, answer: api.ImportResponse) -> None:
        batch, self.failures = self.unanswered.popleft(), 0
        self.client.saw(answer.consistency_token)
        self.done = Imported(
            items=self.done.items + len(batch.items),
            batches=self.done.batches + 1,
            known_batches=self.done.known_batches + answer.is_known,
            written_versions=self.done.written_versions + answer.written_versions,
            consistency_token=answer.consistency_token,
        )
        self.listen(self.done)

    def _request(self, batch: Batch) -> api.ImportRequest:
        return api.ImportRequest(
            model=batch.model, import_id=self.import_id, batch=batch.number, items=batch.items
        )

    def _delay_after(self, failure: grpc.RpcError) -> float:
        """Return how long to wait before the next call; raise the refusal if it is final."""
        error = from_rpc(failure)
        self.failures += 1
        if is_retryable(error) and self.failures < self.policy.max_attempts:
            return self.policy.delay_seconds(self.failures, error)
        raise self._named(error) from failure

    def _named(self, error: AssayError) -> AssayError:
        """Say which batch was refused, also where the server could not read it."""
        if self.unanswered:
            batch = self.unanswered[0]
            error.metadata = {"batch": str(batch.number), "model": batch.model, **error.metadata}
        return error
