"""Commands that move aliases and stages, and give them back."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import Alias, Stage
    from assay.names import AliasName, StageName

alias_app = typer.Typer(help="Aliases: point them at versions, see what they point at.")
stage_app = typer.Typer(help="Stages: move versions into them, see what they hold.")
Beside = Annotated[bool, typer.Option("--beside", help="Enter beside the present holders.")]
Weight = Annotated[
    int, typer.Option(min=0, max=100, metavar="PERCENT", help="Share of the work, of several.")
]
ArchivePrevious = Annotated[
    bool, typer.Option("--archive-previous", help="Archive the version that leaves.")
]


@command(alias_app, "set")
def set_alias(
    context: Context,
    name: options.ModelName,
    alias: options.AliasId,
    number: options.Number,
    reason: options.Reason = "",
    expect: options.Expect = None,
) -> None:
    """Point ALIAS at version N."""
    from assay.metadata.v1.metadata_service_pb2 import SetAliasRequest

    target = alias_of(context, name, alias, number)
    request = SetAliasRequest(
        name=str(target),
        version=str(target.parent.version(number)),
        reason=reason,
        expected_version=_expected(target, expect),
    )
    response = context.client.metadata.SetAlias(request)
    context.answer(response, lambda screen: say(screen, response.alias))


@command(alias_app, "unset")
def unset_alias(
    context: Context,
    name: options.ModelName,
    alias: options.AliasId,
    reason: options.Reason = "",
) -> None:
    """Make ALIAS point at nothing."""
    from assay.metadata.v1.metadata_service_pb2 import UnsetAliasRequest

    target = alias_of(context, name, alias)
    request = UnsetAliasRequest(name=str(target), reason=reason)
    response = context.client.metadata.UnsetAlias(request)
    context.answer(response, lambda screen: say(screen, response.alias))


@command(alias_app, "rollback")
def roll_back_alias(
    context: Context,
    name: options.ModelName,
    alias: options.AliasId,
    reason: options.Reason = "",
    expect: options.Expect = None,
) -> None:
    """Point ALIAS at the version that it pointed at before."""
    _roll_back(context, alias_of(context, name, alias), reason, expect)


@command(stage_app, "set")
def set_stage(  # noqa: PLR0917 - called by name
    context: Context,
    name: options.ModelName,
    stage: options.StageId,
    number: options.Number,
    beside: Beside = False,
    weight: Weight = 0,
    archive_previous: ArchivePrevious = False,
    reason: options.Reason = "",
    expect: options.Expect = None,
) -> None:
    """Move version N into STAGE; its holder leaves it, unless N enters beside it."""
    from assay.metadata.v1.metadata_service_pb2 import SetStageRequest

    target = stage_of(context, name, stage, number)
    context.hints["MOVE_NOT_ALLOWED"] = context.command("stage", "graph", "show", of=(name,))
    context.hints["TOO_MANY_HOLDERS"] = context.hints["MOVE_NOT_ALLOWED"]
    context.hints["WEIGHT_EXCEEDED"] = context.command("stage", "show", of=(name, stage))
    request = SetStageRequest(
        name=str(target),
        version=str(target.parent.version(number)),
        beside=beside,
        weight=weight,
        archive_previous=archive_previous,
        reason=reason,
        expected_version=_expected(target, expect),
    )
    response = context.client.metadata.SetStage(request)
    context.answer(response, lambda screen: say(screen, response.stage))


@command(stage_app, "unset")
def unset_stage(
    context: Context,
    name: options.ModelName,
    stage: options.StageId,
    reason: options.Reason = "",
) -> None:
    """Take the holders out of STAGE."""
    from assay.metadata.v1.metadata_service_pb2 import UnsetStageRequest

    target = stage_of(context, name, stage)
    request = UnsetStageRequest(name=str(target), reason=reason)
    response = context.client.metadata.UnsetStage(request)
    context.answer(response, lambda screen: say(screen, response.stage))


@command(stage_app, "rollback")
def roll_back_stage(
    context: Context,
    name: options.ModelName,
    stage: options.StageId,
    reason: options.Reason = "",
    expect: options.Expect = None,
) -> None:
    """Give STAGE back to the version that held it before."""
    _roll_back(context, stage_of(context, name, stage), reason, expect)


def alias_of(context: Context, name: str, alias: str, number: int = 0) -> "AliasName":
    """Return an alias, and be ready for what may be wrong with moving it."""
    from assay import references

    _prepare(context, "alias", name, alias, number)
    return references.alias(references.model(name, context.namespace), alias)


def stage_of(context: Context, name: str, stage: str, number: int = 0) -> "StageName":
    """Return a stage, and be ready for what may be wrong with moving it."""
    from assay import references

    _prepare(context, "stage", name, stage, number)
    return references.stage(references.model(name, context.namespace), stage)


def say(screen: "Screen", target: "Alias | Stage") -> None:
    """Say in one line what an alias or a stage is now."""
    from assay.cli.screen import last, short_version

    name = f"{target.name.split('/')[3]}@{last(target.name)}"
    approval = f", allowed by {target.approval}" if target.approval else ""
    holders = shares(target)
    if holders:
        screen.say(f"{name} is {holders} now{approval}.")
    elif target.version:
        screen.say(f"{name} is {short_version(target.version)} now{approval}.")
    else:
        screen.say(f"{name} is empty now.")


def shares(target: "Alias | Stage") -> str:
    """Return all holders of a stage with their shares, empty where there is but one."""
    from assay.cli.screen import short_version
    from assay.metadata.v1.resources_pb2 import Stage

    holders = target.holders if isinstance(target, Stage) else []
    if len(holders) <= 1:
        return ""
    return " and ".join(
        short_version(holder.version) + (f" ({holder.weight} %)" if holder.weight else "")
        for holder in holders
    )


def _prepare(context: Context, kind: str, name: str, target: str, number: int) -> None:
    wanted = f"{name}/{number or 'N'}"
    context.hints["APPROVAL_REQUIRED"] = context.command(
        "approval", "request", of=(wanted,), **{kind: target}
    )
    context.hints["NOT_FOUND"] = context.command("versions", of=(name,))
    context.hints["MODEL_ARCHIVED"] = context.command("model", "restore", of=(name,))
    for reason in ("HOLDER_MISMATCH", "NOTHING_BEFORE"):
        context.hints[reason] = context.command(kind, "holdings", of=(name, target))
    if number:
        context.hints["VERSION_ARCHIVED"] = context.command("version", "restore", of=(wanted,))
        context.hints["VERSION_DRAFT"] = context.command("version", "seal", of=(wanted, "PATH"))


def _roll_back(
    context: Context, target: "AliasName | StageName", reason: str, expect: int | None
) -> None:
    from assay.metadata.v1.metadata_service_pb2 import RollBackRequest

    request = RollBackRequest(
        name=str(target), reason=reason, expected_version=_expected(target, expect)
    )
    response = context.client.metadata.RollBack(request)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import last, short_version

        held = _beside(context, target) or short_version(response.model_version.name)
        screen.say(f"{target.parent.model}@{last(str(target))} is {held} again.")

    context.answer(response, show)


def _beside(context: Context, target: "AliasName | StageName") -> str:
    """Return those who hold a stage together, empty where there is but one."""
    from assay.metadata.v1.metadata_service_pb2 import GetStageRequest
    from assay.names import StageName

    if not isinstance(target, StageName):
        return ""
    request = GetStageRequest(name=str(target))
    return shares(context.client.metadata.GetStage(request).stage)


def _expected(target: "AliasName | StageName", number: int | None) -> str | None:
    """Return the version that must hold the target now; none (None) where it does not matter."""
    if number is None:
        return None
    return str(target.parent.version(number)) if number else ""
