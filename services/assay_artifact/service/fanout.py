"""The same work for many things at a time, bounded; the first failure ends all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


async def each(
    work: Callable[[_Item], Awaitable[_Result]], items: Iterable[_Item], at_once: int
) -> list[_Result]:
    """Return what `work` makes of each of `items`, in their order."""
    waiting = list(items)
    results: dict[int, _Result] = {}
    numbered = iter(enumerate(waiting))
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(at_once, len(waiting))):
                tasks.create_task(_worker(work, numbered, results))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return [results[place] for place in range(len(waiting))]


async def _worker(
    work: Callable[[_Item], Awaitable[_Result]],
    numbered: Iterator[tuple[int, _Item]],
    results: dict[int, _Result],
) -> None:
    for place, item in numbered:
        results[place] = await work(item)
