"""Commands that move aliases and stages."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import Alias, Stage

app = typer.Typer()
alias_app = typer.Typer(help="Point aliases at versions.")
stage_app = typer.Typer(help="Move versions into stages.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Model.")]
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the version.")]
Reason = Annotated[str, typer.Option(help="Why.")]
Expect = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Version that holds it now; 0 for none.")
]


@command(alias_app, "set")
def set_alias(
    context: Context,
    name: Name,
    alias: Annotated[str, typer.Argument(metavar="ALIAS")],
    number: Number,
    reason: Reason = "",
    expect: Expect = None,
) -> None:
    """Point ALIAS at version N."""
    from assay import references
    from assay.metadata.v1.metadata_service_pb2 import SetAliasRequest

    context.hints["APPROVAL_REQUIRED"] = context.command(
        "approval", "request", f"{name}/{number}", "--alias", alias
    )
    model = references.model(name, context.namespace)
    request = SetAliasRequest(
        name=str(references.alias(model, alias)),
        version=str(model.version(number)),
        reason=reason,
        expected_version=_expected(str(model), expect),
    )
    response = context.client.metadata.SetAlias(request)
    context.answer(response, lambda screen: _say(screen, response.alias))


@command(alias_app, "unset")
def unset_alias(
    context: Context,
    name: Name,
    alias: Annotated[str, typer.Argument(metavar="ALIAS")],
    reason: Reason = "",
) -> None:
    """Make ALIAS point at nothing."""
    from assay import references
    from assay.metadata.v1.metadata_service_pb2 import UnsetAliasRequest

    target = references.alias(references.model(name, context.namespace), alias)
    request = UnsetAliasRequest(name=str(target), reason=reason)
    response = context.client.metadata.UnsetAlias(request)
    context.answer(response, lambda screen: _say(screen, response.alias))


@command(stage_app, "set")
def set_stage(
    context: Context,
    name: Name,
    stage: Annotated[str, typer.Argument(metavar="STAGE")],
    number: Number,
    reason: Reason = "",
    expect: Expect = None,
) -> None:
    """Move version N into STAGE; its holder leaves it."""
    from assay import references
    from assay.metadata.v1.metadata_service_pb2 import SetStageRequest

    context.hints["APPROVAL_REQUIRED"] = context.command(
        "approval", "request", f"{name}/{number}", "--stage", stage
    )
    model = references.model(name, context.namespace)
    request = SetStageRequest(
        name=str(references.stage(model, stage)),
        version=str(model.version(number)),
        reason=reason,
        expected_version=_expected(str(model), expect),
    )
    response = context.client.metadata.SetStage(request)
    context.answer(response, lambda screen: _say(screen, response.stage))


@command(stage_app, "unset")
def unset_stage(
    context: Context,
    name: Name,
    stage: Annotated[str, typer.Argument(metavar="STAGE")],
    reason: Reason = "",
) -> None:
    """Take the holder out of STAGE."""
    from assay import references
    from assay.metadata.v1.metadata_service_pb2 import UnsetStageRequest

    target = references.stage(references.model(name, context.namespace), stage)
    request = UnsetStageRequest(name=str(target), reason=reason)
    response = context.client.metadata.UnsetStage(request)
    context.answer(response, lambda screen: _say(screen, response.stage))


def _expected(model: str, number: int | None) -> str | None:
    """Return the version that must hold the target now; none (None) where it does not matter."""
    if number is None:
        return None
    return f"{model}/versions/{number}" if number else ""


def _say(screen: "Screen", target: "Alias | Stage") -> None:
    from assay.cli.screen import last, short_version

    name = f"{target.name.split('/')[3]}@{last(target.name)}"
    approval = f", allowed by {target.approval}" if target.approval else ""
    if target.version:
        screen.say(f"{name} is {short_version(target.version)} now{approval}.")
    else:
        screen.say(f"{name} is empty now.")
