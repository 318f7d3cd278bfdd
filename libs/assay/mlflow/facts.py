"""The same facts, told by both sides in the same words: what differs then, differs in truth."""

from collections.abc import Mapping
from dataclasses import dataclass

from assay.metadata.v1.resources_pb2 import Imported, Model, ModelVersion, State
from assay.mlflow import claims as texts
from assay.mlflow.entities import SourceModel, SourceRun, SourceVersion
from assay.mlflow.translating import ABSENT, external_uri, is_archived, time_of, told

Facts = Mapping[tuple[str, str], str]
"""Values by kind and key, such as `("tag", "team")`."""
# Claims of the moment of the import: the source goes on changing them.
_CHANGING = frozenset({"last_updated_timestamp", "current_stage", "status", "status_message"})


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact of which one side says another thing than the other."""

    kind: str
    key: str
    source: str
    assay: str


def of_model(model: SourceModel) -> Facts:
    """Return what the source says of a model, but for its aliases."""
    return {
        ("model", "name"): model.name,
        **_described(model.description),
        **_origin(model.author, model.create_ms),
        **{("tag", key): value for key, value in model.tags.items()},
    }


def of_version(
    model: SourceModel, version: SourceVersion, run: SourceRun | None, *, is_external: bool
) -> Facts:
    """Return what the source says of a version, but for its files, aliases and stages."""
    claims = {key: text for key, text in told(version).items() if key not in _CHANGING}
    place = external_uri(version)
    archived = is_archived(version, model) or (is_external and not place)
    return {
        ("version", "number"): str(version.number),
        ("state", ""): "archived" if archived else "active",
        **_described(version.description),
        **_origin(version.author, version.create_ms),
        **{("tag", key): value for key, value in version.tags.items()},
        **{("claim", key): text for key, text in claims.items()},
        **({("elsewhere", "external_uri"): place} if is_external and place else {}),
        **_measured(run),
    }


def of_gap(number: int) -> Facts:
    """Return what stands for a number that the source does not have."""
    return {("gap", str(number)): ABSENT}


def of_imported_model(model: Model) -> Facts:
    """Return what Assay says of a model that was imported."""
    claims = texts.joined(model.imported.claims)
    return {
        ("model", "name"): claims.pop("name", ""),
        **_described(claims.pop("description", model.description)),
        **_origin_of(model.imported, claims),
        **{("tag", key): value for key, value in model.tags.items()},
        **{("tag", key): text for key, text in _below(claims, "tags.").items()},
    }


def of_imported_version(version: ModelVersion) -> Facts:
    """Return what Assay says of a version that was imported."""
    claims = texts.joined(version.imported.claims)
    if "absent" in claims:
        return {("gap", str(version.number)): claims["absent"]}
    is_archived_ = version.state == State.STATE_ARCHIVED
    metrics = {metric.key: texts.number(metric.value) for metric in version.metrics}
    external = version.external_uri
    return {
        ("version", "number"): str(version.number),
        ("state", ""): "archived" if is_archived_ else "active",
        **_described(claims.pop("description", version.description)),
        **_origin_of(version.imported, claims),
        **{("tag", key): value for key, value in version.tags.items()},
        **{("tag", key): text for key, text in _below(claims, "tags.").items()},
        **{("param", key): value for key, value in version.params.items()},
        **{("param", key): text for key, text in _below(claims, "params.").items()},
        **{("metric", key): text for key, text in metrics.items()},
        **{("metric", key): text for key, text in _below(claims, "metrics.").items()},
        **{("claim", key): text for key, text in claims.items() if key in _TOLD},
        **({("elsewhere", "external_uri"): external} if external else {}),
    }


def differences(source: Facts, assay: Facts) -> list[Difference]:
    """Return the facts that are not the same on both sides, by kind and key."""
    return [
        Difference(*key, source.get(key, ""), assay.get(key, ""))
        for key in sorted({*source, *assay})
        if source.get(key) != assay.get(key)
    ]


_TOLD = frozenset({"source", "run_id", "run_link", "model_id"})


def _described(description: str) -> Facts:
    return {("description", ""): description} if description else {}


def _origin(author: str, create_ms: int) -> Facts:
    time = time_of(create_ms)
    return {
        **({("author", ""): author} if author else {}),
        **({("time", "created"): str(create_ms)} if time else {}),
    }


def _origin_of(imported: Imported, claims: dict[str, str]) -> Facts:
    author = claims.pop("author", imported.author)
    milliseconds = imported.create_time.ToMilliseconds() if imported.HasField("create_time") else 0
    return _origin(author, milliseconds)


def _measured(run: SourceRun | None) -> Facts:
    if run is None:
        return {}
    return {
        **{("metric", key): texts.number(value) for key, value in run.metrics.items()},
        **{("param", key): value for key, value in run.params.items()},
    }


def _below(claims: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        key.removeprefix(prefix): text for key, text in claims.items() if key.startswith(prefix)
    }
