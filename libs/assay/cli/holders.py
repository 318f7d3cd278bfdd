"""Commands that tell what aliases and stages point at, and when they pointed at what."""

from typing import TYPE_CHECKING, TypeVar

from assay.cli import options
from assay.cli.command import Context, command
from assay.cli.moves import alias_app, alias_of, stage_app, stage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message

    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import Alias, Stage
    from assay.names import AliasName, StageName
    from assay.type.v1.moment_pb2 import Moment

_Answer = TypeVar("_Answer", bound="Message")


@command(alias_app, "show")
def show_alias(
    context: Context,
    name: options.ModelName,
    alias: options.AliasId,
    as_of: options.AsOf = "",
    watch: options.Watch = False,
) -> None:
    """Show what ALIAS points at."""
    from assay.metadata.v1.metadata_service_pb2 import GetAliasRequest, GetAliasResponse
    from assay.metadata.v1.resources_pb2 import Alias

    target, get = alias_of(context, name, alias), context.client.metadata.GetAlias
    _show(
        context,
        target,
        lambda moment: get(GetAliasRequest(name=str(target), as_of=moment)),
        lambda held: GetAliasResponse(alias=Alias(name=held)),
        lambda screen, answer: _one(screen, answer.alias),
        as_of=as_of,
        watch=watch,
    )


@command(alias_app, "list")
def list_aliases(
    context: Context,
    name: options.ModelName,
    as_of: options.AsOf = "",
    watch: options.Watch = False,
) -> None:
    """List the aliases of a model."""
    from assay.cli.models import lasting
    from assay.cli.redrawing import present
    from assay.metadata.v1.metadata_service_pb2 import ListAliasesRequest
    from assay.paging import collect

    parent = _parent(context, name)
    present(
        context,
        lambda moment: collect(
            context.client.metadata.ListAliases, ListAliasesRequest(parent=parent, as_of=moment)
        ),
        lambda screen, answer: _table(screen, "ALIAS", answer.aliases, "No aliases."),
        as_of=as_of,
        watched=lasting(context, parent) if watch else "",
    )


@command(alias_app, "holdings")
def alias_holdings(
    context: Context, name: options.ModelName, alias: options.AliasId, limit: options.Limit = 0
) -> None:
    """List each time that a version had ALIAS, oldest first."""
    _holdings(context, alias_of(context, name, alias), limit)


@command(stage_app, "show")
def show_stage(
    context: Context,
    name: options.ModelName,
    stage: options.StageId,
    as_of: options.AsOf = "",
    watch: options.Watch = False,
) -> None:
    """Show what STAGE holds."""
    from assay.metadata.v1.metadata_service_pb2 import GetStageRequest, GetStageResponse
    from assay.metadata.v1.resources_pb2 import Stage

    target, get = stage_of(context, name, stage), context.client.metadata.GetStage
    _show(
        context,
        target,
        lambda moment: get(GetStageRequest(name=str(target), as_of=moment)),
        lambda held: GetStageResponse(stage=Stage(name=held)),
        lambda screen, answer: _one(screen, answer.stage),
        as_of=as_of,
        watch=watch,
    )


@command(stage_app, "list")
def list_stages(
    context: Context,
    name: options.ModelName,
    as_of: options.AsOf = "",
    watch: options.Watch = False,
) -> None:
    """List the held stages of a model."""
    from assay.cli.models import lasting
    from assay.cli.redrawing import present
    from assay.metadata.v1.metadata_service_pb2 import ListStagesRequest
    from assay.paging import collect

    parent = _parent(context, name)
    present(
        context,
        lambda moment: collect(
            context.client.metadata.ListStages, ListStagesRequest(parent=parent, as_of=moment)
        ),
        lambda screen, answer: _table(screen, "STAGE", answer.stages, "No stage is held."),
        as_of=as_of,
        watched=lasting(context, parent) if watch else "",
    )


@command(stage_app, "holdings")
def stage_holdings(
    context: Context, name: options.ModelName, stage: options.StageId, limit: options.Limit = 0
) -> None:
    """List each time that a version held STAGE, oldest first."""
    _holdings(context, stage_of(context, name, stage), limit)


def _show(
    context: Context,
    target: "AliasName | StageName",
    ask: "Callable[[Moment | None], _Answer]",
    absent: "Callable[[str], _Answer]",
    draw: "Callable[[Screen, _Answer], None]",
    *,
    as_of: str,
    watch: bool,
) -> None:
    """Show what a target points at; one that is watched may be set later."""
    from assay.cli.redrawing import present
    from assay.errors import NotFound

    watched = _lasting(context, target) if watch else ""

    def ask_or_wait(moment: "Moment | None") -> "_Answer":
        try:
            return ask(moment)
        except NotFound:
            if not watched:
                raise
            return absent(watched)

    present(context, ask_or_wait, draw, as_of=as_of, watched=watched)


def _parent(context: Context, name: str) -> str:
    from assay import references

    context.hints["NOT_FOUND"] = context.command("models")
    return str(references.model(name, context.namespace))


def _lasting(context: Context, target: "AliasName | StageName") -> str:
    """Return the name of a target below the name that its model was created with."""
    from assay.cli.models import lasting

    model = str(target.parent)
    return lasting(context, model) + str(target).removeprefix(model)


def _one(screen: "Screen", target: "Alias | Stage") -> None:
    from assay.cli.screen import moment

    screen.facts(
        [
            ("name", target.name),
            ("version", _held(target) or "none"),
            ("approval", target.approval),
            ("since", moment(target.create_time)),
            ("moved by", screen.who(target.actor) if target.actor else ""),
            ("etag", target.etag),
        ]
    )


def _table(screen: "Screen", title: str, targets: "Sequence[Alias | Stage]", empty: str) -> None:
    from assay.cli.screen import last, moment
    from assay.cli.tables import Column

    rows = [
        [last(t.name), _held(t), moment(t.create_time), screen.who(t.actor), last(t.approval)]
        for t in targets
    ]
    columns = (
        Column(title),
        Column("VERSION"),
        Column("SINCE", goes=3),
        Column("BY", goes=2),
        Column("APPROVAL", goes=1),
    )
    screen.table(columns, rows, empty)


def _held(target: "Alias | Stage") -> str:
    from assay.cli.moves import shares
    from assay.cli.screen import short_version

    return shares(target) or short_version(target.version)


def _holdings(context: Context, target: "AliasName | StageName", limit: int) -> None:
    from assay.metadata.v1.metadata_service_pb2 import ListHoldingsRequest
    from assay.paging import collect

    request = ListHoldingsRequest(parent=str(target))
    response = collect(context.client.metadata.ListHoldings, request, limit)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import last, moment, short_version
        from assay.cli.tables import Column

        rows = [
            [
                short_version(holding.version),
                f"{holding.weight} %" if holding.weight else "",
                moment(holding.from_time),
                moment(holding.to_time) or "now",
                screen.who(holding.actor),
                last(holding.approval),
            ]
            for holding in response.holdings
        ]
        columns = (
            Column("VERSION"),
            Column("SHARE", goes=4),
            Column("FROM"),
            Column("TO", goes=5),
            Column("BY", goes=3),
            Column("APPROVAL", goes=1),
        )
        screen.table(columns, rows, "No version has held it.")

    context.answer(response, show)
