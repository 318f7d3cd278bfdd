"""How far a read model has come, for readers who wait until it has seen their write."""

import asyncio
import heapq

from assay_events.errors import ProjectionBehind


class Position:
    """The newest revision that a projection has committed.

    And the readers that wait for later ones.
    """

    def __init__(self) -> None:
        """Begin before the first revision."""
        self.revision = 0
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def advance(self, revision: int) -> None:
        """Say that everything up to `revision` is committed; wake who waited for it."""
        self.revision = max(self.revision, revision)
        while self._waiters and self._waiters[0][0] <= self.revision:
            _, _, future = heapq.heappop(self._waiters)
            if not future.done():
                future.set_result(None)

    async def wait_for(self, revision: int, seconds: float) -> None:
        """Return once `revision` is committed.

        Raise ProjectionBehind when that takes longer than `seconds`.
        """
        if self.revision >= revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiters, (revision, self._count, future))
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await future
        except TimeoutError as error:
            raise ProjectionBehind(self.revision, revision) from error
