"""Commands that read models: what there is, in which state, and how it came to be."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import Model, ModelVersion

app = typer.Typer()
Limit = Annotated[int, typer.Option(min=0, help="Most rows; 0 for all.")]
Filter = Annotated[str, typer.Option("--filter", metavar="FILTER", help="As in AIP-160.")]


@command(app, "models")
def models(context: Context, where: Filter = "", limit: Limit = 0) -> None:
    """List the models of a namespace."""
    from assay.metadata.v1.metadata_service_pb2 import ListModelsRequest
    from assay.paging import collect

    request = ListModelsRequest(parent=f"namespaces/{context.namespace}", filter=where)
    response = collect(context.client.metadata.ListModels, request, limit)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import last, moment

        rows = [
            [last(m.name), str(m.latest_number), _state(m.state), _tags(m), moment(m.update_time)]
            for m in response.models
        ]
        columns = ("model", "versions", "state", "tags", "changed")
        screen.table(columns, rows, f"No models: {context.command('register', 'NAME', 'PATH')}")

    context.answer(response, show)


@command(app, "versions")
def versions(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model.")],
    where: Filter = "",
    limit: Limit = 0,
) -> None:
    """List the versions of a model, newest first."""
    from assay import references
    from assay.metadata.v1.metadata_service_pb2 import ListModelVersionsRequest
    from assay.paging import collect

    context.hints["NOT_FOUND"] = context.command("models")
    model = references.model(name, context.namespace)
    request = ListModelVersionsRequest(parent=str(model), filter=where)
    response = collect(context.client.metadata.ListModelVersions, request, limit)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import moment, size

        rows = [
            [
                str(v.number),
                _state(v.state),
                ", ".join(v.aliases),
                ", ".join(v.stages),
                _metrics(v),
                size(v.size_bytes),
                screen.who(v.creator),
                moment(v.create_time),
            ]
            for v in response.model_versions
        ]
        columns = ("n", "state", "aliases", "stages", "metrics", "size", "by", "registered")
        screen.table(columns, rows, "No versions fit.")

    context.answer(response, show)


@command(app, "show")
def show(
    context: Context,
    reference: Annotated[str, typer.Argument(metavar="NAME@ALIAS|NAME/N")],
) -> None:
    """Show one version in full."""
    from assay.registering import resolve

    name = reference.rpartition("@")[0] or reference.rpartition("/")[0] or reference
    context.hints["NOT_FOUND"] = context.command("versions", name)
    response = resolve(context.client, reference)
    context.answer(response, lambda screen: _show_version(screen, response.model_version))


@command(app, "history")
def history(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model.")],
    limit: Limit = 0,
) -> None:
    """List what happened to a model, its versions, aliases and stages, newest first."""
    from assay import references
    from assay.metadata.v1.metadata_service_pb2 import ListModelHistoryRequest
    from assay.paging import collect

    context.hints["NOT_FOUND"] = context.command("models")
    model = references.model(name, context.namespace)
    request = ListModelHistoryRequest(parent=str(model))
    response = collect(context.client.metadata.ListModelHistory, request, limit)

    def show(screen: "Screen") -> None:
        from assay.cli.screen import moment

        rows = [
            [
                str(entry.revision),
                moment(entry.time),
                screen.who(entry.actor),
                entry.type.rpartition(".")[2],
                entry.resource.removeprefix(f"{model}/"),
                "\n".join([*entry.changes, *([f"reason: {entry.reason}"] if entry.reason else [])]),
            ]
            for entry in response.entries
        ]
        screen.table(("rev", "time", "by", "event", "of", "changes"), rows, "Nothing happened.")

    context.answer(response, show)


def _show_version(screen: "Screen", version: "ModelVersion") -> None:
    from assay.cli.screen import moment, size

    screen.facts(
        [
            ("name", version.name),
            ("state", _state(version.state)),
            ("manifest", version.manifest_digest),
            ("files", f"{version.file_count}, {size(version.size_bytes)}"),
            ("aliases", ", ".join(version.aliases)),
            ("stages", ", ".join(version.stages)),
            ("metrics", _metrics(version)),
            ("params", _pairs(version.params)),
            ("tags", _pairs(version.tags)),
            ("run", version.run),
            ("description", version.description),
            ("registered", f"{moment(version.create_time)} by {screen.who(version.creator)}"),
            ("etag", version.etag),
        ]
    )


def _metrics(version: "ModelVersion") -> str:
    return ", ".join(f"{metric.key}={metric.value:g}{metric.unit}" for metric in version.metrics)


def _tags(model: "Model") -> str:
    return _pairs(model.tags)


def _pairs(pairs: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={pairs[key]}" for key in sorted(pairs))


def _state(number: int) -> str:
    from assay.metadata.v1.resources_pb2 import State

    return State.Name(State.ValueType(number)).removeprefix("STATE_").lower()
