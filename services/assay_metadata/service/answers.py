"""Resources as a command left them, folded from the stream."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from assay.metadata.v1.resources_pb2 import (
    Alias,
    Model,
    ModelVersion,
    Namespace,
    Stage,
    StageGraph,
    StageHolder,
    State,
)
from assay.names import AliasName, NamespaceName, StageName
from assay_events.commands import Done
from assay_metadata.domain.namespace import Namespace as NamespaceState
from assay_metadata.domain.state import Model as ModelState
from assay_metadata.domain.state import Version, version_of

_Message = TypeVar("_Message", bound=Message)


def namespace(done: Done[NamespaceState], name: NamespaceName) -> Namespace:
    """Return the namespace."""
    touch = done.folded.touch(str(name))
    return Namespace(
        name=done.state.name,
        etag=done.etag(str(name)),
        create_time=_timestamp(touch.create_time),
        update_time=_timestamp(touch.update_time),
        description=done.state.description,
        stage_graph=_graph(done.state.graph),
    )


def model(done: Done[ModelState]) -> Model:
    """Return the model."""
    state = done.state
    touch = done.folded.touch(state.name)
    return Model(
        name=state.name,
        etag=done.etag(state.name),
        create_time=_timestamp(touch.create_time),
        update_time=_timestamp(touch.update_time),
        state=State.STATE_ARCHIVED if state.is_archived else State.STATE_ACTIVE,
        description=state.description,
        tags=state.tags,
        latest_number=len(state.versions),
        stage_graph=_graph(state.graph),
        owners=state.fields.owners,
        intended_use=state.fields.intended_use,
        tier=state.fields.tier,
        display_name=state.display_name,
        imported=_filled(state.imported),
    )


def version(done: Done[ModelState], number: int) -> ModelVersion:
    """Return one version, with the aliases and stages that it holds."""
    version = done.state.versions[number]
    sealed = version.registered
    touch = done.folded.touch(sealed.name)
    held = done.state.held_by(number)
    return ModelVersion(
        name=sealed.name,
        etag=done.etag(sealed.name),
        create_time=_timestamp(touch.create_time),
        update_time=_timestamp(touch.update_time),
        state=_state(version),
        number=number,
        manifest_digest=version.manifest_digest,
        description=version.description,
        metrics=sealed.metrics,
        params=sealed.params,
        tags=version.tags,
        run=sealed.run,
        size_bytes=version.size_bytes,
        file_count=version.file_count,
        aliases=_labels(held, "aliases"),
        stages=_labels(held, "stages"),
        creator=touch.creator,
        card=_filled(version.fields.card),
        signature=_filled(sealed.signature),
        format=_filled(sealed.format),
        parent_versions=sealed.parent_versions,
        semantic_version=sealed.semantic_version,
        external_uri=sealed.external_uri,
        is_draft=version.is_draft,
        imported=_filled(sealed.imported),
    )


def alias(done: Done[ModelState], name: AliasName) -> Alias:
    """Return the alias; without a version where it points at nothing."""
    holder = done.state.holder(str(name))
    touch = done.folded.touch(str(name))
    return Alias(
        name=str(name),
        etag=done.etag(str(name)),
        create_time=_timestamp(touch.update_time) if holder.number else None,
        version=version_of(done.state.name, holder.number),
        approval=holder.approval,
        actor=touch.actor if holder.number else "",
    )


def stage(done: Done[ModelState], name: StageName) -> Stage:
    """Return the stage; without a version where nobody holds it."""
    holder = done.state.holder(str(name))
    touch = done.folded.touch(str(name))
    return Stage(
        name=str(name),
        etag=done.etag(str(name)),
        create_time=_timestamp(touch.update_time) if holder.number else None,
        version=version_of(done.state.name, holder.number),
        approval=holder.approval,
        actor=touch.actor if holder.number else "",
        holders=[
            StageHolder(
                version=version_of(done.state.name, held.number),
                weight=held.weight,
                approval=held.approval,
            )
            for held in done.state.holders_of(str(name))
        ],
    )


def _graph(graph: StageGraph) -> StageGraph | None:
    return graph if graph.rules else None


def _state(version: Version) -> State.ValueType:
    if version.is_archived:
        return State.STATE_ARCHIVED
    return State.STATE_DRAFT if version.is_draft else State.STATE_ACTIVE


def _filled(message: _Message) -> _Message | None:
    """Return a message, None where nothing in it is filled."""
    return message if message.ListFields() else None


def _labels(targets: Iterable[str], collection: str) -> list[str]:
    """Return the ids of the aliases or of the stages among `targets`."""
    parts = (name.split("/") for name in targets)
    return [label for *_, kind, label in parts if kind == collection]


def _timestamp(at: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp
