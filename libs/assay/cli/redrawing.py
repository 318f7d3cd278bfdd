"""Answers shown once, or drawn again whenever an event says that something has changed."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TypeVar

from google.protobuf.message import Message

from assay.audit.v1.audit_service_pb2 import ListLogEntriesRequest
from assay.cli.command import Context
from assay.cli.moments import moment_or_now
from assay.cli.screen import Screen, to_json
from assay.client import Client
from assay.errors import Invalid
from assay.event.v1.event_service_pb2 import WatchRequest
from assay.type.v1.moment_pb2 import Moment

_Answer = TypeVar("_Answer", bound=Message)
_REST_SECONDS = 0.1  # a burst of events is drawn a few times, not once an event


def present(
    context: Context,
    ask: Callable[[Moment | None], _Answer],
    show: Callable[[Screen, _Answer], None],
    *,
    as_of: str = "",
    watched: str = "",
) -> None:
    """Show the answer as of a moment, or again and again while the resource `watched` changes."""
    if not watched:
        answer = ask(moment_or_now(as_of))
        context.answer(answer, lambda screen: show(screen, answer))
        return
    if as_of:
        raise Invalid("Give either --watch or --as-of.", reason="MALFORMED")
    try:
        for revision in _revisions(context.client, watched):
            answer = ask(Moment(revision=revision))
            _draw(context, answer, show)
            time.sleep(_REST_SECONDS)
    except KeyboardInterrupt:
        return  # how a watch ends


def _draw(context: Context, answer: _Answer, show: Callable[[Screen, _Answer], None]) -> None:
    if context.as_json:
        print(to_json(answer, indent=None))
    else:
        context.screen.draw_again()
        show(context.screen, answer)
        print()
    sys.stdout.flush()


def _revisions(client: Client, resource: str) -> Iterator[int]:
    """Yield the newest revision, then that of the newest event about the resource, as they come."""
    newest = client.audit.ListLogEntries(
        ListLogEntriesRequest(page_size=1, order_by="revision desc")
    )
    revision = newest.entries[0].revision
    yield revision
    request = WatchRequest(after_revision=revision, contexts=["metadata"], resource=resource)
    queue = SimpleQueue[int | Exception]()
    threading.Thread(target=_listen, args=(client, request, queue), daemon=True).start()
    while True:
        got = [queue.get()]
        while not queue.empty():
            got.append(queue.get())
        for failure in got:
            if isinstance(failure, Exception):
                raise failure
        yield max(each for each in got if isinstance(each, int))


def _listen(client: Client, request: WatchRequest, queue: "SimpleQueue[int | Exception]") -> None:
    """Put the revision of each event into `queue`, and at last why there are no more."""
    try:
        for event in client.watch(request):
            queue.put(event.revision)
    except Exception as error:  # noqa: BLE001 - raised again where the answers are drawn
        queue.put(error)
