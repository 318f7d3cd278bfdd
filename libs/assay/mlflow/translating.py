"""What a thing of the source becomes in Assay: fields where it has them, claims for the rest."""

import math
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.metadata.v1.resources_pb2 import (
    Format,
    Imported,
    Model,
    ModelVersion,
    Signature,
    State,
)
from assay.mlflow import claims as texts
from assay.mlflow.entities import SourceModel, SourceRun, SourceVersion
from assay.mlflow.faults import quoted, unusable
from assay.type.v1.metric_pb2 import Metric

ABSENT = "The source has no version of this number."
NO_PLACE = "The source does not say where its files lie."
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LAST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000)
_STAGES = {"Production": "production", "Staging": "staging"}
_ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True)
class Files:
    """What was made of the files of a version: a manifest of Assay, or a place elsewhere."""

    manifest_digest: str = ""
    format: Format = field(default_factory=Format)
    signature: Signature = field(default_factory=Signature)
    claims: Mapping[str, str] = field(default_factory=dict)


def stage_of(version: SourceVersion) -> str:
    """Return the stage of Assay that a version would hold, empty for none."""
    return _STAGES.get(version.stage, "")


def is_archived(version: SourceVersion, model: SourceModel) -> bool:
    """Say whether a version is archived: one that an alias points at stays in use."""
    return version.stage == _ARCHIVED and version.number not in model.aliases.values()


def model(source: str, given: SourceModel) -> Model:
    """Return a model as Import takes it."""
    claims = {
        "name": given.name,
        "last_updated_timestamp": _digits(given.update_ms),
        **_described(given.description),
    }
    tags = _kept(given.tags, "tags", claims)
    return Model(
        description=texts.start_of(given.description),
        tags=tags,
        imported=_imported(source, given.author, given.create_ms, claims, given.name),
    )


def version(
    source: str, given: SourceVersion, run: SourceRun | None, files: Files, *, archived: bool
) -> ModelVersion:
    """Return a version as Import takes it."""
    claims = {**told(given), **_described(given.description), **files.claims}
    if given.run_id and run is None:
        claims["run"] = "deleted in the source"
    tags = _kept(given.tags, "tags", claims)
    params = _kept(run.params if run else {}, "params", claims)
    metrics = _metrics(run, claims)
    uri = "" if files.manifest_digest else external_uri(given)
    is_draft = not files.manifest_digest and not uri
    if is_draft:
        claims["files"] = NO_PLACE
    return ModelVersion(
        number=given.number,
        state=State.STATE_ARCHIVED if archived or is_draft else State.STATE_ACTIVE,
        manifest_digest=files.manifest_digest,
        external_uri=uri,
        is_draft=is_draft,
        description=texts.start_of(given.description),
        tags=tags,
        params=params,
        metrics=metrics,
        format=files.format,
        signature=files.signature,
        imported=_imported(source, given.author, given.create_ms, claims, given.title),
    )


def absent(source: str, number: int) -> ModelVersion:
    """Return what stands for a number that the source no longer has: an archived draft."""
    imported = Imported(source=source, claims={"absent": ABSENT})
    archived = State.STATE_ARCHIVED
    return ModelVersion(number=number, is_draft=True, state=archived, imported=imported)


def told(given: SourceVersion) -> dict[str, str]:
    """Return what the source says of a version and Assay has no field for."""
    told = {
        "source": texts.without_password(given.source),
        "run_id": given.run_id,
        "run_link": texts.without_password(given.run_link),
        "status": given.status,
        "status_message": given.status_message,
        "current_stage": given.stage,
        "model_id": given.model_id,
        "last_updated_timestamp": _digits(given.update_ms),
    }
    return {key: text for key, text in told.items() if text}


def external_uri(given: SourceVersion) -> str:
    """Return where a version says that its files lie, as a URI; empty where it cannot be one."""
    source = texts.without_password(given.source)
    if not source:
        return ""
    uri = source if _SCHEME.match(source) else f"file:{source}"
    whole = urllib.parse.quote(uri, safe="!#$%&'()*+,/:;=?@[]~")
    return whole if texts.fits(whole) and len(whole) > len("file:") else ""


def time_of(milliseconds: int) -> Timestamp | None:
    """Return a time of the source, None where it is not told or lies outside the calendar."""
    if not 0 < milliseconds <= _LAST_MS:
        return None
    return Timestamp(seconds=milliseconds // 1000, nanos=milliseconds % 1000 * 1_000_000)


def _imported(
    source: str, author: str, create_ms: int, claims: dict[str, str], title: str
) -> Imported:
    whole = texts.split(claims | ({} if texts.fits(author) else {"author": author}))
    if len(whole) > texts.MAX_ENTRIES:
        raise unusable(f"{quoted(title)} says more than {texts.MAX_ENTRIES} claims can hold.")
    return Imported(
        source=source,
        author=author if texts.fits(author) else "",
        create_time=time_of(create_ms),
        claims=whole,
    )


def _described(description: str) -> dict[str, str]:
    """Return the claim that holds a description which is too long for its field."""
    is_whole = len(description.encode()) <= texts.MAX_DESCRIPTION_BYTES
    return {} if is_whole else {"description": description}


def _kept(given: Mapping[str, str], kind: str, claims: dict[str, str]) -> dict[str, str]:
    """Return the entries that fit a map of Assay; put the others into the claims."""
    kept = dict[str, str]()
    for key, value in sorted(given.items()):
        if key and texts.fits(key, value) and len(kept) < texts.MAX_ENTRIES:
            kept[key] = value
        else:
            claims[f"{kind}.{key}"] = value
    return kept


def _metrics(run: SourceRun | None, claims: dict[str, str]) -> list[Metric]:
    """Return the finite metrics; put those that are no numbers into the claims."""
    kept = list[Metric]()
    for key, value in sorted(run.metrics.items()) if run else ():
        if key and math.isfinite(value) and texts.fits(key) and len(kept) < texts.MAX_ENTRIES:
            kept.append(Metric(key=key, value=value))
        else:
            claims[f"metrics.{key}"] = texts.number(value)
    return kept


def _digits(number: int) -> str:
    return str(number) if number else ""
