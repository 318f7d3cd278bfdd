"""Many things at a time."""

import asyncio

import pytest

from assay_artifact.service.fanout import each


async def test_results_come_in_the_order_of_the_items() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.001 * (5 - number))
        return number * number

    assert await each(work, range(5), 3) == [0, 1, 4, 9, 16]
    assert await each(work, [], 3) == []


async def test_only_so_many_run_at_once() -> None:
    running = most = 0

    async def work(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await each(work, range(50), 4)
    assert most == 4


async def test_the_first_failure_ends_the_rest() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise KeyError(number)

    with pytest.raises(KeyError):
        await each(work, range(1000), 2)
    assert len(begun) < 10
