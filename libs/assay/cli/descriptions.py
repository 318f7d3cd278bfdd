"""Cards and descriptions of versions, as YAML or JSON files hold them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from assay import cards, references
from assay.cli.documents import Document, read_one
from assay.cli.pairs import numbers, texts
from assay.cli.runs import read_run
from assay.metadata.v1.resources_pb2 import Format, ModelCard, ModelVersion, Signature, Tensor
from assay.registering import Details, finite
from assay.type.v1.metric_pb2 import Metric

_FIELDS = ("semantic_version", "parent_versions", "format", "signature", "metrics", "card")
_CARD_FIELDS = ("schema", *cards.PARTS)


def card_of(path: Path) -> ModelCard:
    """Return the model card that a file holds."""
    return _card(read_one(path))


def version_of(path: Path, namespace: str) -> ModelVersion:
    """Return what a file says of a version beside its files."""
    document = read_one(path)
    document.only(*_FIELDS)
    version = ModelVersion(
        semantic_version=document.text("semantic_version"),
        parent_versions=[
            str(references.version(text, namespace)) for text in document.texts("parent_versions")
        ],
        metrics=[_metric(part) for part in document.parts("metrics")],
    )
    if "format" in document.fields:
        version.format.CopyFrom(_format(document.part("format")))
    if "signature" in document.fields:
        version.signature.CopyFrom(_signature(document.part("signature")))
    if "card" in document.fields:
        version.card.CopyFrom(_card(document.part("card")))
    return version


def details_of(  # noqa: PLR0917 - the options of three commands, in their order
    namespace: str,
    metric: Sequence[str] | None,
    param: Sequence[str] | None,
    tag: Sequence[str] | None,
    description: str,
    semantic_version: str,
    run: Path | None,
    about: Path | None,
) -> Details:
    """Return what the options of a command tell of a version."""
    told = version_of(about, namespace) if about else ModelVersion()
    if semantic_version:
        told.semantic_version = semantic_version
    return Details(
        description=description,
        metrics=numbers("metric", metric or []),
        params=texts("param", param or []),
        tags=texts("tag", tag or []),
        run=read_run(run, namespace) if run else None,
        about=told,
    )


def _card(document: Document) -> ModelCard:
    document.only(*_CARD_FIELDS)
    parts = {name: document.text(name) for name in cards.PARTS}
    return ModelCard(schema=document.text("schema") or cards.SCHEMA, **parts)


def _metric(document: Document) -> Metric:
    document.only("key", "value", "unit", "dataset")
    key = document.text("key", required=True)
    (metric,) = finite({key: document.number("value")})
    metric.unit, metric.dataset = document.text("unit"), document.text("dataset")
    return metric


def _format(document: Document) -> Format:
    document.only("name", "version", "flavors")
    version = document.scalar("version")
    flavors = document.mapping("flavors")
    return Format(
        name=document.text("name", required=True), version=version, flavors=_as_json(flavors)
    )


def _signature(document: Document) -> Signature:
    document.only("inputs", "outputs")
    return Signature(
        inputs=[_tensor(part) for part in document.parts("inputs")],
        outputs=[_tensor(part) for part in document.parts("outputs")],
    )


def _tensor(document: Document) -> Tensor:
    document.only("name", "type", "shape", "is_optional")
    return Tensor(
        name=document.text("name"),
        type=document.text("type"),
        shape=document.wholes("shape"),
        is_optional=document.flag("is_optional"),
    )


def _as_json(flavors: Mapping[str, object]) -> dict[str, str]:
    """Return the settings of each way to load it, as JSON."""
    return {name: json.dumps(value, sort_keys=True, default=str) for name, value in flavors.items()}
