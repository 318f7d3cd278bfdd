"""The process in the background that starts all others, keeps them alive and stops them."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field

from assay_serve.embedded import (
    certificates,
    files,
    health,
    nats,
    objects,
    postgres,
    processes,
    record,
)
from assay_serve.embedded.failures import Failed
from assay_serve.embedded.keeper import Keeper
from assay_serve.embedded.services import PREPARED, Wiring

BACKENDS = ("nats", "postgres", "s3")
_BACKEND_SECONDS, _STEP_SECONDS = 30.0, 60.0


@dataclass(slots=True)
class Supervisor:
    """Runs one stack."""

    wiring: Wiring
    report: Callable[[str], None]  # told the name of each process once it works
    _keeper: Keeper = field(init=False)
    _told_to_stop: asyncio.Event = field(default_factory=asyncio.Event)
    _since: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        """Have each change among the children written down."""
        self._keeper = Keeper(self._write_down, say)

    async def run(self, when_up: Callable[[list[Failed]], None]) -> None:
        """Run the stack until told to stop; `when_up` is told which services are late.

        Raises:
            Failed: It can't be started; all of it is stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._told_to_stop.set)
        loop.add_signal_handler(signal.SIGCHLD, self._keeper.notice)
        self._write_down()
        try:
            await self._unless_told_to_stop(self._bring_up(when_up))
            await self._unless_told_to_stop(self._renew_certificates())
        finally:
            await self._bring_down()

    async def _unless_told_to_stop(self, work: Coroutine[None, None, None]) -> None:
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._told_to_stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        working.cancel()
        try:
            await working
        except asyncio.CancelledError:
            return
        except BaseExceptionGroup as group:
            raise _first_cause(group) from group

    async def _bring_up(self, when_up: Callable[[list[Failed]], None]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_objects())
            services = group.create_task(self._start_services())
        # Also where a service is late: what works can be used then, and the rest be mended.
        self._write_endpoints()
        when_up(services.result())

    async def _start_services(self) -> list[Failed]:
        async with asyncio.TaskGroup() as group:
            stream = group.create_task(self._start_nats())
            database = group.create_task(self._start_postgres())
            tasks = []
            for name in self.wiring.modules.services:
                needed = [stream, database]
                if name in PREPARED:
                    needed.append(group.create_task(self._prepare(name, database)))
                tasks.append(group.create_task(self._start(name, needed)))
        return [failure for task in tasks if (failure := task.result())]

    async def _start_nats(self) -> None:
        folder = self.wiring.folder
        program = nats.program(
            folder.path / "nats", folder.log("nats"), self.wiring.port["nats"],
            self.wiring.secrets.nats,
        )  # fmt: skip
        await self._up(program)
        if self.wiring.modules.setup:
            await self._keeper.once(self.wiring.setup(), _STEP_SECONDS)

    async def _start_postgres(self) -> None:
        home, log = self.wiring.folder.path / "postgres", self.wiring.folder.log("postgres")
        port, passwords = self.wiring.port["postgres"], self.wiring.secrets.postgres
        await asyncio.to_thread(postgres.initialise, home, passwords[postgres.ADMIN], log)
        await self._up(postgres.program(home, log, port))
        await asyncio.to_thread(postgres.make_roles, home, log, port, passwords)

    async def _start_objects(self) -> None:
        home, log = self.wiring.folder.path / "s3", self.wiring.folder.log("s3")
        port, keys = self.wiring.port, self.wiring.secrets.s3
        await self._up(objects.program(home, log, port, keys), report=False)
        await asyncio.to_thread(objects.make_bucket, port["s3"], keys, log)
        self.report("s3")

    async def _prepare(self, service: str, database: asyncio.Task[None]) -> None:
        await database
        await self._keeper.once(self.wiring.prepare(service), _STEP_SECONDS)

    async def _start(self, service: str, needed: Iterable[asyncio.Task[None]]) -> Failed | None:
        """Start `service`; return why it is late where it runs but does not answer in time."""
        for task in needed:
            await task
        try:
            await self._up(self.wiring.serve(service))
        except Failed as failure:
            if self._keeper.children[service].restarts:
                raise
            return failure
        return None

    async def _up(self, program: processes.Program, *, report: bool = True) -> None:
        name = program.name
        port = self.wiring.port[name]
        seconds = _BACKEND_SECONDS if name in BACKENDS else self.wiring.service_seconds
        await self._keeper.up(program, port, health.probe(name, port), seconds)
        if report:
            self.report(name)

    async def _bring_down(self) -> None:
        self.wiring.folder.endpoints.unlink(missing_ok=True)
        await self._keeper.down(self.wiring.modules.services)
        await self._keeper.down(BACKENDS)
        objects.clean(self.wiring.port)

    async def _renew_certificates(self) -> None:
        """Keep the certificates young; the services read them again by themselves."""
        folder, deployment = self.wiring.folder.tls, self.wiring.secrets.deployment
        while True:
            await asyncio.sleep(certificates.LOOK_SECONDS)
            try:
                for name in await asyncio.to_thread(certificates.renew, folder, deployment):
                    say(f"renewed the certificate of {name}")
            except OSError as error:
                say(f"the certificates can't be renewed: {error}")

    def _write_endpoints(self) -> None:
        names = (*self.wiring.modules.services, *BACKENDS)
        addresses = {name: self.wiring.address(name) for name in names}
        files.write_json(self.wiring.folder.endpoints, addresses, files.READABLE)

    def _write_down(self) -> None:
        pid = os.getpid()
        own = record.Entry(
            record.SUPERVISOR, pid, processes.start_time(pid), 0, "running", 0, self._since
        )
        children = (child.entry() for child in self._keeper.children.values())
        record.write(self.wiring.folder, [own, *children])


def say(text: str) -> None:
    """Write a line into the supervisor's own log."""
    print(time.strftime("%Y-%m-%dT%H:%M:%S%z"), text, flush=True)


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_cause(first) if isinstance(first, BaseExceptionGroup) else first
