"""What the handlers of all resources share, and how a request is read."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from google.protobuf.message import Message

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelFields
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceServicer
from assay.metadata.v1.resources_pb2 import Model, ModelCard, ModelVersion, StageGraph
from assay.names import AliasName, ModelName, NamespaceName, StageName, VersionName
from assay.type.v1.options_pb2 import Right
from assay_events.commands import Commands, Done, Intent
from assay_events.decider import Invalid
from assay_metadata.domain.commands import Command
from assay_metadata.domain.fields import CARD_SCHEMA
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE
from assay_metadata.domain.presence import LedElsewhere, existing
from assay_metadata.domain.state import Model as ModelState
from assay_metadata.queries.names import Name, model_of, under
from assay_serve.call import Context, call_of
from assay_serve.peers import PeerChannels
from assay_serve.postgres import Reads
from assay_serve.rights import Demand, Rights

FREE_FIELDS_OF_A_MODEL = ("description", "tags", "owners", "intended_use", "tier")
FREE_FIELDS_OF_A_VERSION = ("description", "tags", "card")


_MAX_ANSWER_BYTES = 4 * 1024 * 1024 - 1024  # what clients take, less what goes around it
_Answer = TypeVar("_Answer", bound=Message)
Target = TypeVar("Target", bound=AliasName | StageName)


class Parts(MetadataServiceServicer):
    """The parts that handlers work with."""

    def __init__(
        self, commands: Commands, reads: Reads, peers: PeerChannels, rights: Rights
    ) -> None:
        self._commands = commands
        self._reads = reads
        self._peers = peers
        self._rights = rights

    async def _require_governing(self, model: ModelName, context: Context) -> None:
        """Refuse who may not govern the model: its tier decides which policies hold for it."""
        call, demand = call_of(context), Demand(Right.RIGHT_GOVERN, ("name",))
        await self._rights.authorise(
            call.actor.principal, demand, Model(name=str(model)), call.method
        )

    async def _resolved(self, name: Name) -> Name:
        """Return `name` below the model that its model's name leads to, fresh from the stream."""
        state = (await self._commands.fold(MODEL, str(model_of(name)))).state
        return under(name, ModelName.parse(state.leads_to)) if state.leads_to else name

    async def _found(self, target: Target) -> tuple[Target, ModelState]:
        """Return the target below the model that its name leads to, and that model's state."""
        target = await self._resolved(target)
        state = (await self._commands.fold(MODEL, str(target.parent))).state
        existing(str(target.parent), state)
        return target, state

    async def _number(self, target: AliasName | StageName, version: str, field: str) -> int:
        """Return the number of a version of the target's model, by whichever of its names."""
        name = VersionName.parse(version)
        if name.parent != target.parent:
            name = await self._resolved(name)
        return number_in(target.parent, str(name), field)

    async def _namespace_graph(self, name: AliasName | StageName) -> StageGraph:
        """Return the stage graph of a target's namespace, fresh; an alias has none to follow."""
        if isinstance(name, AliasName):
            return StageGraph()
        return (await self._commands.fold(NAMESPACE, str(name.parent.parent))).state.graph

    async def _handle(
        self, name: Name, command: Callable[[Name], Command], asked: Intent
    ) -> Done[ModelState]:
        """Handle a command about `name`, wherever its model's name leads.

        The stream is asked where it leads only once the rules find no model there: each command
        would wait for that otherwise.
        """
        if asked.etag:  # it is the etag of the resource that the name leads to
            name = await self._resolved(name)
        try:
            return await self._decide(name, command, asked)
        except LedElsewhere as led:
            return await self._decide(under(name, ModelName.parse(led.original)), command, asked)

    async def _decide(
        self, name: Name, command: Callable[[Name], Command], asked: Intent
    ) -> Done[ModelState]:
        model = str(model_of(name))
        return await self._commands.handle(MODEL, model, command(name), asked, resource=str(name))


def changes(
    mask: Sequence[str], given: ModelFields, free_fields: Sequence[str]
) -> tuple[frozenset[str], ModelFields]:
    """Return the fields that an update is about, and their new values."""
    if not mask:
        return frozenset(field.name for field, _ in given.ListFields()), given
    if list(mask) == ["*"]:
        return frozenset(free_fields), given
    foreign = [path for path in mask if path not in free_fields]
    if foreign:
        raise Invalid(
            Reason.REASON_MALFORMED,
            f"Update only {', '.join(free_fields)}; {foreign[0]} cannot be changed.",
            field="update_mask",
        )
    return frozenset(mask), given


def fields_of_model(given: Model) -> ModelFields:
    """Return the free fields of a model, as a request gives them."""
    return ModelFields(
        description=given.description,
        tags=given.tags,
        owners=given.owners,
        intended_use=given.intended_use,
        tier=given.tier,
    )


def fields_of_version(given: ModelVersion) -> ModelFields:
    """Return the free fields of a version, as a request gives them."""
    fields = ModelFields(description=given.description, tags=given.tags)
    card = card_of(given)
    if card.ListFields():
        fields.card.CopyFrom(card)
    return fields


def card_of(given: ModelVersion) -> ModelCard:
    """Return the card of a version; one that names no schema is of the one there is."""
    card = ModelCard()
    card.CopyFrom(given.card)
    if card.ListFields() and not card.schema:
        card.schema = CARD_SCHEMA
    return card


def number_in(model: ModelName, version: str, field: str) -> int:
    """Return the number of a version of `model`; refuse another model's."""
    name = VersionName.parse(version)
    if name.parent != model:
        raise Invalid(
            Reason.REASON_MALFORMED, f"Name a version of {model}; {name} is none.", field=field
        )
    return name.number


def require_in(
    parent: NamespaceName, names: Iterable[ModelName | VersionName | AliasName | StageName]
) -> None:
    """Refuse names of another namespace."""
    for name in names:
        if name.namespace != parent.namespace:
            raise Invalid(
                Reason.REASON_MALFORMED, f"Name only what is in {parent}; {name} is not.", "names"
            )


def fitting(answer: _Answer) -> _Answer:
    """Return an answer that clients can take; refuse to make a larger one."""
    if answer.ByteSize() > _MAX_ANSWER_BYTES:
        raise Invalid(
            Reason.REASON_TOO_LARGE, "Ask for fewer names at once: their answer is too large."
        )
    return answer
