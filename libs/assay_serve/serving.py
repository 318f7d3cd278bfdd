"""Serves until told to stop: the server, and beside it store, projector and reactions."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import structlog

from assay_events.commands import Commands
from assay_events.connection import Address
from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.position import Position
from assay_events.projection import Projection
from assay_events.projector import Projector
from assay_events.reactions import Reactor
from assay_events.rebuild import Rebuilder
from assay_serve.health import Health
from assay_serve.identity import Identities
from assay_serve.interceptor import Interceptor
from assay_serve.late_store import LateStore
from assay_serve.peers import PeerChannels
from assay_serve.postgres import Reads, open_pool
from assay_serve.rights import Rights
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Server
from assay_serve.settings import Settings
from assay_serve.telemetry import Telemetry
from assay_serve.tls import Certificate

_RETRY_SECONDS = 5.0
_AWAY_SECONDS = 0.5

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


async def serve(service: Service, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is away is waited for, with health NOT_SERVING."""
    health, position = Health(), Position()
    tell_of_store = health.part("store")
    store = LateStore(_address(settings), tell_of_store)
    pool = await open_pool(settings.postgres_url, _schema(service), position)
    certificate = Certificate(settings.tls, settings.deployment, service.name)
    peers = _peers(settings, certificate)
    runtime = Runtime(
        settings=settings,
        store=store,
        commands=Commands(store, context=service.name, deployment=settings.deployment),
        reads=Reads(pool, position, store),
        position=position,
        peers=peers,
        rights=Rights(store, settings.deployment, f"principals/{settings.owner}"),
    )
    wired = service.wire(runtime)
    telemetry = _telemetry(settings)
    identities = Identities(settings.jwks, service.name, settings.oidc_issuers)
    interceptor = Interceptor(identities, telemetry, settings.deployment, runtime.rights)
    server = Server(settings.listen, wired.bindings, interceptor)
    server.add_internal_port(settings.internal_listen, certificate.server_credentials())
    try:
        await server.start()
        await _run_until_signalled(
            _guarded(store.run, "store", tell_of_store),
            lambda: health.follow(server),
            _guarded(runtime.rights.run, "rights", health.part("rights", "")),
            _guarded(runtime.rights.keep_level, "rights level", health.part("rights level", "")),
            *_background(service, runtime, wired, health, position),
        )
    finally:
        await server.stop()
        await peers.close()
        pool.terminate()
        if telemetry is not None:
            telemetry.close()


def _background(
    service: Service, runtime: Runtime, wired: Wired, health: Health, position: Position
) -> list[Callable[[], Awaitable[None]]]:
    """Return what runs beside the server, each guarded: one that fails leaves commands answered."""
    settings, tasks = runtime.settings, list[Callable[[], Awaitable[None]]]()
    if service.projection is not None:
        read_model = _ReadModel(service.projection, runtime, position, health.part("projection"))
        tasks.append(_guarded(read_model.run, "projection", read_model.tell))
    for reaction in wired.reactions:
        reactor = Reactor(runtime.store, settings.postgres_url, service.name, reaction)
        tasks.append(_guarded(reactor.run, reaction.name, health.part(reaction.name, "")))
    for number, task in enumerate(wired.first):
        name = f"task {number}"
        tasks.append(_guarded(_telling(task, tell := health.part(name)), name, tell))
    for number, task in enumerate(wired.beside):
        name = f"loop {number}"
        tasks.append(_guarded(task, name, health.part(name, "")))
    return tasks


def _telling(
    task: Callable[[], Awaitable[None]], tell: Callable[[str], None]
) -> Callable[[], Awaitable[None]]:
    """Return `task`, which tells when it is done: until then the service is not ready."""

    async def telling() -> None:
        await task()
        tell("")

    return telling


@dataclass(frozen=True, slots=True)
class _ReadModel:
    """Makes the read model where it is missing or of another schema, then keeps it level."""

    projection: Projection
    runtime: Runtime
    position: Position
    tell: Callable[[str], None]

    async def run(self) -> None:
        await self._prepare()
        settings = self.runtime.settings
        projector = Projector(
            self.runtime.store,
            settings.postgres_url,
            self.projection,
            settings.deployment,
            self.position,
            self.tell,
        )
        await projector.run()

    async def _prepare(self) -> None:
        """Prepare as the runtime role; one that does not own the tables finds them prepared."""
        settings = self.runtime.settings
        rebuilder = Rebuilder(
            self.runtime.store, settings.postgres_url, self.projection, settings.deployment
        )
        while True:
            try:
                if await rebuilder.prepare():
                    log.info("projection.schema_changed", projection=self.projection.name)
                    await rebuilder.rebuild()
                return
            except asyncpg.InsufficientPrivilegeError:
                self.tell("Run its `prepare` as the role that owns the tables.")
            except (OSError, TimeoutError, Unavailable, asyncpg.PostgresError) as error:
                log.warning("projection.waits", cause=repr(error))
                self.tell("The read model waits for the event store or Postgres.")
            await asyncio.sleep(_AWAY_SECONDS)


def _guarded(
    run: Callable[[], Awaitable[None]], name: str, tell: Callable[[str], None]
) -> Callable[[], Awaitable[None]]:
    """Return `run`, begun again after a fault, but not after one that only a person can mend."""

    async def guarded() -> None:
        while True:
            try:
                return await run()
            except StreamCorrupt as fault:
                log.critical("part.stopped", part=name, cause=fault.message)
                return tell(fault.message)
            except Exception as error:
                log.exception("part.failed", part=name)
                tell(f"It failed: {type(error).__name__}.")
                await asyncio.sleep(_RETRY_SECONDS)

    return guarded


async def _run_until_signalled(*runs: Callable[[], Awaitable[None]]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_awaited(run)) for run in runs]
        await stopped.wait()
        log.info("server.stopping")
        for task in running:
            task.cancel()


async def _awaited(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _address(settings: Settings) -> Address:
    return Address(settings.nats_url, settings.nats_user, settings.nats_password)


def _schema(service: Service) -> str:
    return service.name if service.projection is None else service.projection.name


def _peers(settings: Settings, certificate: Certificate) -> PeerChannels:
    return PeerChannels(
        settings.service, settings.deployment, settings.service_key, certificate, settings.peers
    )


def _telemetry(settings: Settings) -> Telemetry | None:
    endpoint = settings.telemetry_endpoint
    return Telemetry(settings.service, endpoint) if endpoint else None
