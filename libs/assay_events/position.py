"""How far a read model has come, for readers who wait until it has seen their write."""

import asyncio
import heapq

from assay_events.errors import ProjectionBehind

_PATIENCE_SECONDS = 0.003  # about twice what a write takes to become rows


class Position:
    """The newest revision that a projection has committed.

    And the readers that wait for later ones.
    """

    def __init__(self) -> None:
        """Begin before the first revision."""
        self.revision = 0
        self.is_kept_here = False  # by a projector of this process, which alone writes
        self.wanted = (
            asyncio.Event()
        )  # somebody has waited for a while, perhaps for a foreign event
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for a later revision."""
        return bool(self._waiters)

    def advance(self, revision: int) -> None:
        """Say that everything up to `revision` is committed; wake who waited for it."""
        self.revision = max(self.revision, revision)
        while self._waiters and self._waiters[0][0] <= self.revision:
            _, _, future = heapq.heappop(self._waiters)
            if not future.done():
                future.set_result(None)
        self._forget_who_left()
        if self._waiters:
            self._ask_soon()

    async def wait_for(self, revision: int, seconds: float) -> None:
        """Return once `revision` is committed.

        Raise ProjectionBehind when that takes longer than `seconds`.
        """
        if self.revision >= revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiters, (revision, self._count, future))
        self._ask_soon()
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await future
        except TimeoutError as error:
            raise ProjectionBehind(self.revision, revision) from error

    def _ask_soon(self) -> None:
        """Let the projector look, in a moment, whether what is waited for concerns it at all."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_PATIENCE_SECONDS, self._ask)

    def _ask(self) -> None:
        self._timer = None
        self._forget_who_left()
        if self._waiters:
            self.wanted.set()

    def _forget_who_left(self) -> None:
        while self._waiters and self._waiters[0][2].done():
            heapq.heappop(self._waiters)
