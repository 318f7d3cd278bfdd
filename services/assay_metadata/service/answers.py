"""Resources as a command left them, folded from the stream."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Namespace, Stage, State
from assay.names import AliasName, ModelName, NamespaceName, StageName
from assay_events.commands import Done
from assay_metadata.domain.namespace import Namespace as NamespaceState
from assay_metadata.domain.state import Model as ModelState
from assay_metadata.domain.state import version_of


def namespace(done: Done[NamespaceState], name: NamespaceName) -> Namespace:
    """Return the namespace."""
    touch = done.folded.touch(str(name))
    return Namespace(
        name=done.state.name,
        etag=done.etag(str(name)),
        create_time=_timestamp(touch.create_time),
        update_time=_timestamp(touch.update_time),
        description=done.state.description,
    )


def model(done: Done[ModelState], name: ModelName) -> Model:
    """Return the model."""
    touch = done.folded.touch(str(name))
    return Model(
        name=done.state.name,
        etag=done.etag(str(name)),
        create_time=_timestamp(touch.create_time),
        update_time=_timestamp(touch.update_time),
        state=_state(is_archived=done.state.is_archived),
        description=done.state.description,
        tags=done.state.tags,
        latest_number=len(done.state.versions),
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
        state=_state(is_archived=version.is_archived),
        number=number,
        manifest_digest=sealed.manifest_digest,
        description=version.description,
        metrics=sealed.metrics,
        params=sealed.params,
        tags=version.tags,
        run=sealed.run,
        size_bytes=sealed.size_bytes,
        file_count=sealed.file_count,
        aliases=_labels(held, "aliases"),
        stages=_labels(held, "stages"),
        creator=touch.creator,
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
    )


def _state(*, is_archived: bool) -> State.ValueType:
    return State.STATE_ARCHIVED if is_archived else State.STATE_ACTIVE


def _labels(targets: Iterable[str], collection: str) -> list[str]:
    """Return the ids of the aliases or of the stages among `targets`."""
    parts = (name.split("/") for name in targets)
    return [label for *_, kind, label in parts if kind == collection]


def _timestamp(at: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp
