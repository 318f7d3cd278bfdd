"""Commands about stage graphs: which moves between stages are allowed, and how many hold one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.documents import Document
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import StageGraph, StageRule

graph_app = typer.Typer(help="Say which moves between stages are allowed.")
MaybeModel = Annotated[
    str, typer.Argument(metavar="[NAME]", help="Model; without one, the whole namespace.")
]


@command(graph_app, "show")
def show(context: Context, name: MaybeModel = "") -> None:
    """Show which moves a model, or the namespace, allows."""
    from assay.metadata.v1.metadata_service_pb2 import GetModelRequest, GetNamespaceRequest

    resource = _resource(context, name)
    if name:
        own = context.client.metadata.GetModel(GetModelRequest(name=resource))
        if own.model.stage_graph.rules:
            context.answer(own, lambda screen: _show(screen, own.model.stage_graph))
            return
    namespace = "/".join(resource.split("/")[:2])
    response = context.client.metadata.GetNamespace(GetNamespaceRequest(name=namespace))

    def show_(screen: "Screen") -> None:
        if name:
            screen.say(f"{name} has no graph of its own: the namespace's holds.")
        _show(screen, response.namespace.stage_graph)

    context.answer(response, show_)


@command(graph_app, "set")
def set_(
    context: Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rules, YAML or JSON.")],
    name: MaybeModel = "",
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Let a model, or the whole namespace, allow the moves of FILE and no others."""
    _set(context, name, graph_of(file), reason, etag)


@command(graph_app, "unset")
def unset(
    context: Context,
    name: MaybeModel = "",
    reason: options.Reason = "",
    etag: options.Etag = "",
) -> None:
    """Let the namespace's graph hold for a model again; of a namespace, allow every move."""
    from assay.metadata.v1.resources_pb2 import StageGraph

    _set(context, name, StageGraph(), reason, etag)


def graph_of(file: Path) -> "StageGraph":
    """Return the stage graph that a YAML or JSON file describes."""
    from assay.cli.documents import read_one
    from assay.metadata.v1.resources_pb2 import StageGraph

    document = read_one(file)
    document.only("rules")
    rules = [_rule(part) for part in document.parts("rules")]
    if not rules:
        raise document.wrong("rules", "must name at least one stage")
    return StageGraph(rules=rules)


def in_words(graph: "StageGraph") -> str:
    """Return a stage graph in one line, empty for an empty one."""
    return "; ".join(_words(rule) for rule in graph.rules)


def _rule(document: "Document") -> "StageRule":
    from assay.metadata.v1.resources_pb2 import StageRule

    document.only("stage", "from_stages", "max_holders")
    return StageRule(
        stage=document.text("stage", required=True),
        from_stages=document.texts("from_stages"),
        max_holders=document.whole("max_holders") if "max_holders" in document.fields else 0,
    )


def _set(context: Context, name: str, graph: "StageGraph", reason: str, etag: str) -> None:
    from assay.metadata.v1.metadata_service_pb2 import SetStageGraphRequest

    context.hints["ETAG_MISMATCH"] = context.command("stage", "graph", "show", of=_of(name))
    request = SetStageGraphRequest(
        name=_resource(context, name), graph=graph, reason=reason, etag=options.etag_of(etag)
    )
    response = context.client.metadata.SetStageGraph(request)
    context.answer(response, lambda screen: _show(screen, response.graph))


def _resource(context: Context, name: str) -> str:
    from assay import references

    if not name:
        context.hints["NOT_FOUND"] = context.command("namespace", "list")
        return f"namespaces/{context.namespace}"
    context.hints["NOT_FOUND"] = context.command("models")
    return str(references.model(name, context.namespace))


def _of(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _show(screen: "Screen", graph: "StageGraph") -> None:
    if not graph.rules:
        screen.say("Every move is allowed, with one holder a stage.")
    for rule in graph.rules:
        screen.say(_words(rule))


def _words(rule: "StageRule") -> str:
    origins = " or ".join(rule.from_stages) or "anywhere"
    most = f", up to {rule.max_holders} at once" if rule.max_holders > 1 else ""
    return f"{rule.stage} from {origins}{most}"
