"""Whether a process is ready: it is when none of its parts has a problem."""

import asyncio
from collections.abc import Callable

from assay_serve.server import Server


class Health:
    """Collects the problems of the parts, and tells the server's health service of every change."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}
        self._changed = asyncio.Event()

    def part(self, name: str, problem: str = "It has not started yet.") -> Callable[[str], None]:
        """Return what a part calls with its problem, or with the empty text when all is well."""
        self._problems[name] = problem

        def tell(found: str) -> None:
            self._problems[name] = found
            self._changed.set()

        return tell

    @property
    def problems(self) -> dict[str, str]:
        """The problems by part."""
        return {name: problem for name, problem in self._problems.items() if problem}

    async def follow(self, server: Server) -> None:
        """Keep the server's health service true, for ever."""
        while True:
            self._changed.clear()
            await server.set_ready(is_ready=not self.problems)
            await self._changed.wait()
