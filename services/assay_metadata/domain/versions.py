"""The rules of versions: numbered without gaps, sealed at once or as a draft later, archived."""

import math
from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import (
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
)
from assay.type.v1.metric_pb2 import Metric
from assay_events.decider import AlreadyExists, Invalid, NotFound, Rejection
from assay_metadata.domain import fields
from assay_metadata.domain.commands import (
    ArchiveVersion,
    RegisterVersion,
    RestoreVersion,
    SealVersion,
    UpdateVersion,
)
from assay_metadata.domain.presence import active, known_version
from assay_metadata.domain.state import Event, Model, number_of, version_of


def register(command: RegisterVersion, state: Model) -> Sequence[Event]:
    """Give the next number to what is sealed, lies elsewhere, or is a draft."""
    active(command.model, state)
    _check(command, state)
    number = len(state.versions) + 1
    return [
        ModelVersionRegistered(
            name=version_of(command.model, number),
            number=number,
            manifest_digest=command.manifest_digest,
            description=command.description,
            metrics=command.metrics,
            params=command.params,
            tags=command.tags,
            run=command.run,
            size_bytes=command.size_bytes,
            file_count=command.file_count,
            card=command.card if command.card.ListFields() else None,
            signature=command.signature if command.signature.ListFields() else None,
            format=command.format if command.format.ListFields() else None,
            parent_versions=command.parent_versions,
            semantic_version=command.semantic_version,
            external_uri=command.external_uri,
            is_draft=command.is_draft,
            imported=command.imported if command.imported.ListFields() else None,
        )
    ]


def seal(command: SealVersion, state: Model) -> Sequence[Event]:
    """Give a draft its files; once it has them they stay."""
    active(command.model, state)
    version = known_version(command.model, command.number, state)
    name = version.registered.name
    if not version.is_draft:
        if version.manifest_digest == command.manifest_digest:
            return []
        raise Rejection(
            Reason.REASON_VERSION_SEALED,
            f"Register another version: {name} is sealed with other files.",
            name=name,
        )
    if version.is_archived:
        raise Rejection(
            Reason.REASON_VERSION_ARCHIVED, f"Restore {name} first: it is archived.", name=name
        )
    return [
        ModelVersionSealed(
            name=name,
            manifest_digest=command.manifest_digest,
            size_bytes=command.size_bytes,
            file_count=command.file_count,
        )
    ]


def update(command: UpdateVersion, state: Model) -> Sequence[Event]:
    """Give free fields new values, an archived version's too: they say why it was archived."""
    active(command.model, state)
    version = known_version(command.model, command.number, state)
    changed = fields.changed(command.paths, command.fields, version.fields)
    if not changed:
        return []
    given = fields.only(command.fields, changed)
    fields.check(given)
    return [
        ModelVersionUpdated(
            name=version.registered.name,
            update_mask=FieldMask(paths=changed),
            fields=given,
            previous_fields=fields.only(version.fields, changed),
        )
    ]


def archive(command: ArchiveVersion, state: Model) -> Sequence[Event]:
    """Let no alias and no stage take a version; one that is held is not archived."""
    active(command.model, state)
    version = known_version(command.model, command.number, state)
    if version.is_archived:
        return []
    held = state.held_by(command.number)
    if held:
        raise Rejection(
            Reason.REASON_VERSION_HELD,
            f"Move or unset {held[0]} first: version {command.number} holds it.",
            version=version.registered.name,
            target=held[0],
        )
    return [ModelVersionArchived(name=version.registered.name)]


def restore(command: RestoreVersion, state: Model) -> Sequence[Event]:
    """Take an archived version back into use, as the draft that it was or with its files."""
    active(command.model, state)
    version = known_version(command.model, command.number, state)
    if not version.is_archived:
        return []
    return [ModelVersionRestored(name=version.registered.name, is_draft=version.is_draft)]


def _check(command: RegisterVersion, state: Model) -> None:
    _check_metrics(command.metrics)
    fields.check_card(command.card)
    fields.check_semantic_version(command.semantic_version)
    fields.check_external_uri(command.external_uri)
    _check_files(command)
    for parent in command.parent_versions:
        is_own = parent.rpartition("/versions/")[0] == command.model
        if is_own and number_of(parent) not in state.versions:
            raise NotFound(parent)
    if command.semantic_version in state.semantic_versions:
        number = state.semantic_versions[command.semantic_version]
        raise AlreadyExists(f"{command.semantic_version} of {version_of(command.model, number)}")


def _check_files(command: RegisterVersion) -> None:
    """Refuse a draft that has files already, and a version that has none."""
    if command.is_draft and (command.manifest_digest or command.external_uri):
        raise Invalid(
            Reason.REASON_MALFORMED,
            "Leave the manifest_digest and the external_uri of a draft empty.",
            field="model_version.is_draft",
        )
    if not command.is_draft and not command.manifest_digest and not command.external_uri:
        raise Invalid(
            Reason.REASON_REQUIRED,
            "Give the manifest_digest, or an external_uri, or register a draft.",
            field="model_version.manifest_digest",
        )


def _check_metrics(metrics: Sequence[Metric]) -> None:
    """Refuse what could not be compared: numbers that are none, and two values for one thing."""
    seen = set[tuple[str, str]]()
    for metric in metrics:
        if not metric.key:
            raise Invalid(Reason.REASON_REQUIRED, "Give each metric a key.", field="metrics")
        if not math.isfinite(metric.value):
            raise Invalid(
                Reason.REASON_NOT_FINITE,
                f"Give the metric {metric.key} a finite value; it is {metric.value}.",
                field="metrics",
            )
        if (metric.key, metric.dataset) in seen:
            raise Invalid(
                Reason.REASON_MALFORMED,
                f"Give the metric {metric.key} once for each dataset.",
                field="metrics",
            )
        seen.add((metric.key, metric.dataset))
