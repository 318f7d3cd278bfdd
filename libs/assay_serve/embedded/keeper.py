"""Keeps processes alive: starts each, sees that it works, starts it again when it ends."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from assay_serve.embedded import processes, record
from assay_serve.embedded.failures import Failed
from assay_serve.embedded.health import Probe
from assay_serve.embedded.processes import Program

_FIRST_DELAY_SECONDS, _LAST_DELAY_SECONDS = 0.1, 10.0
_STEADY_SECONDS = 30.0  # who lived as long starts again without delay
_TRIES = 3  # a process that ended as often before it ever worked won't work
_POLL_SECONDS = 0.03


@dataclass(slots=True)
class Child:
    """One process that is kept alive, and how it fares."""

    program: Program
    port: int
    probe: Probe
    state: str = "starting"
    restarts: int = 0
    since: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    worked: asyncio.Event = field(default_factory=asyncio.Event)

    def entry(self) -> record.Entry:
        """Return what is written down of it."""
        pid = self.process.pid if self.process else 0
        started = processes.start_time(pid) if pid else ""
        return record.Entry(
            self.program.name, pid, started, self.port, self.state, self.restarts, self.since
        )


@dataclass(slots=True)
class Keeper:
    """All children of this process."""

    changed: Callable[[], None]
    say: Callable[[str], None]
    children: dict[str, Child] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def notice(self) -> None:
        """Look which child has ended; to be called on SIGCHLD."""
        self._ended.set()

    async def up(self, program: Program, port: int, probe: Probe, seconds: float) -> None:
        """Keep `program` alive from now on, and wait until it works."""
        child = self.children[program.name] = Child(program, port, probe)
        keeping = self._tasks[program.name] = asyncio.create_task(self._keep(child))
        working = asyncio.create_task(child.worked.wait())
        try:
            await asyncio.wait(
                {keeping, working}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            working.cancel()
        if keeping.done():
            keeping.result()
        if not child.worked.is_set():
            raise Failed(
                f"{program.name} did not answer within {seconds:.0f} seconds.", program.log
            )

    async def once(self, program: Program, seconds: float) -> None:
        """Run `program` to its end; raise Failed unless it ends well and in time."""
        process = processes.start(program)
        try:
            async with asyncio.timeout(seconds):
                await self._until_ended(process)
        except TimeoutError:
            raise Failed(f"{program.name} took over {seconds:.0f} seconds.", program.log) from None
        finally:
            processes.stop(process, program)
        if process.returncode:
            raise Failed(f"{program.name} failed.", program.log)

    async def down(self, names: Iterable[str]) -> None:
        """Stop the children among `names`, all at once."""
        chosen = [self.children[name] for name in names if name in self.children]
        tasks = [self._tasks[child.program.name] for child in chosen]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        running = [(child.process, child.program) for child in chosen if child.process]
        await asyncio.gather(*(asyncio.to_thread(processes.stop, *each) for each in running))
        for child in chosen:
            del self.children[child.program.name]
        self.changed()

    async def _keep(self, child: Child) -> None:
        delay = _FIRST_DELAY_SECONDS
        while True:
            await self._live(child)
            lived = time.time() - child.since
            delay = _FIRST_DELAY_SECONDS if lived > _STEADY_SECONDS else delay
            child.restarts += 1
            if not child.worked.is_set() and child.restarts >= _TRIES:
                raise Failed(f"{child.program.name} does not start.", child.program.log)
            self._set(child, "restarting")
            self.say(f"{child.program.name} ended and starts again in {delay:.1f} seconds")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_DELAY_SECONDS)

    async def _live(self, child: Child) -> None:
        """Start `child` and wait until it has ended."""
        child.since = time.time()
        try:
            process = child.process = processes.start(child.program)
        except Failed as failure:
            self.say(str(failure))
            return
        self._set(child, "starting")
        probing = asyncio.create_task(self._see_it_work(child))
        try:
            await self._until_ended(process)
        finally:
            probing.cancel()

    async def _see_it_work(self, child: Child) -> None:
        while not await child.probe():  # noqa: ASYNC110 - nothing tells when it works
            await asyncio.sleep(_POLL_SECONDS)
        child.worked.set()
        self._set(child, "running")

    async def _until_ended(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            await self._ended.wait()
            self._ended.clear()

    def _set(self, child: Child, state: str) -> None:
        child.state = state
        self.changed()
