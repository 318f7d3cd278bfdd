"""A whole service in one file: namespaces alone, with rules, rows, queries and a reaction.

Run as `python -m tests.integration.assay_serve.small_service serve`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1 import resources_pb2 as resources
from assay.metadata.v1.events_pb2 import NamespaceCreated
from assay_events.commands import Commands
from assay_events.decider import AlreadyExists, Decider, NotFound, Rejection
from assay_events.envelope import Recorded
from assay_events.projection import Projection, Put, Write
from assay_serve.call import Context, intent
from assay_serve.filtering import Column
from assay_serve.paging import Key, Orders, fetch
from assay_serve.postgres import Reads
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Binding

SCHEMA = """
CREATE TABLE namespace (
    name text NOT NULL,
    description text NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);
"""
SELECT = """
SELECT n.name, n.description FROM namespace n
WHERE n.from_revision <= $1 AND n.to_revision > $1
"""
FIELDS = {"description": Column("n.description")}
ORDERS = Orders({"name": Key("n.name")}, default="name", tie=Key("n.name"))


@dataclass(frozen=True, slots=True)
class Create:
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Namespace:
    name: str = ""


def decide(command: Create, state: Namespace) -> Sequence[NamespaceCreated]:
    if state.name:
        raise AlreadyExists(command.name)
    if command.description == "forbidden":
        raise Rejection(Reason.REASON_NOT_OPEN, "Describe it otherwise.")
    return [NamespaceCreated(name=command.name, description=command.description)]


def evolve(_: Namespace, event: NamespaceCreated) -> Namespace:
    return Namespace(event.name)


NAMESPACE = Decider("metadata", "namespace", Namespace(), decide, evolve, (NamespaceCreated,))


def apply(recorded: Recorded) -> Iterable[Write]:
    event = recorded.event
    if isinstance(event, NamespaceCreated):
        if event.description == "poison":
            raise ValueError("a bug in the projection")
        yield Put("namespace", {"name": event.name, "description": event.description})


class SmallService:
    """Creates, gets and lists namespaces."""

    def __init__(self, commands: Commands, reads: Reads) -> None:
        self._commands = commands
        self._reads = reads

    async def CreateNamespace(  # noqa: N802 - the name of the rpc
        self, request: api.CreateNamespaceRequest, context: Context
    ) -> api.CreateNamespaceResponse:
        name = f"namespaces/{request.namespace_id}"
        command = Create(name, request.namespace.description)
        done = await self._commands.handle(NAMESPACE, name, command, intent(request, context))
        made = resources.Namespace(name=done.state.name, etag=done.etag(name))
        return api.CreateNamespaceResponse(namespace=made, consistency_token=done.token)

    async def GetModel(  # noqa: N802 - GetNamespace has no as_of, so this one stands in
        self, request: api.GetModelRequest, context: Context
    ) -> api.GetModelResponse:
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            query = f"{SELECT} AND n.name = $2"
            row = await snapshot.db.fetchrow(query, snapshot.revision, request.name)
            if row is None:
                raise NotFound(request.name)
            model = resources.Model(name=row["name"], description=row["description"])
            return api.GetModelResponse(model=model, consistency_token=snapshot.token)

    async def ListNamespaces(  # noqa: N802 - the name of the rpc
        self, request: api.ListNamespacesRequest, context: Context
    ) -> api.ListNamespacesResponse:
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            arguments = (snapshot.revision,)
            rows = await fetch(snapshot.db, SELECT, arguments, request, ORDERS, FIELDS)
            return api.ListNamespacesResponse(
                namespaces=[resources.Namespace(name=row["name"]) for row in rows.rows],
                next_page_token=rows.next_page_token,
                consistency_token=snapshot.token,
            )

    def __getattr__(self, name: str) -> Callable[..., object]:
        if not name[0].isupper():
            raise AttributeError(name)
        raise_ = NotImplementedError(name)

        async def answer(_request: object, _context: Context) -> object:
            raise raise_

        return answer


def wire(runtime: Runtime) -> Wired:
    service = SmallService(runtime.commands, runtime.reads)
    return Wired(bindings=(Binding("assay.metadata.v1.MetadataService", service),))


PROJECTION = Projection("metadata", SCHEMA, (NamespaceCreated,), apply)
SERVICE = Service("metadata", PROJECTION, wire)

if __name__ == "__main__":
    run(SERVICE)
