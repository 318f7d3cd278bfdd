"""The items of a batch, read: each stands for the commands that would have made it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import assay.metadata.v1.metadata_service_pb2 as api
from assay.artifact.v1.resources_pb2 import Manifest
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage, StageHolder, State
from assay.names import AliasName, MalformedName, ModelName, StageName, VersionName
from assay_events.decider import Invalid, Refusal
from assay_metadata.domain import graph
from assay_metadata.domain.commands import (
    ArchiveModel,
    ArchiveVersion,
    Command,
    ImportItem,
    SetStageGraph,
    SetTarget,
)
from assay_metadata.domain.importing import at
from assay_metadata.service.models import creation
from assay_metadata.service.parts import number_in
from assay_metadata.service.versions import is_kept, registration, with_files
from assay_trust.errors import TrustError


class Reader:
    """Reads items in order: versions without a number get the next one."""

    def __init__(
        self,
        given: ModelName,
        model: ModelName,
        manifests: Mapping[str, Manifest],
        foreign: Mapping[str, str],
        number: int,
    ) -> None:
        self._given = given
        self._model = model
        self._manifests = manifests
        self._foreign = foreign
        self._number = number

    def read(self, field: str, item: api.ImportItem) -> ImportItem:
        """Return an item as the commands that it stands for."""
        with named(field):
            match item.WhichOneof("item"):
                case "model":
                    return ImportItem(field, tuple(self._new_model(item.model)))
                case "changed_model":
                    return ImportItem(field, tuple(self._changed(item.changed_model)))
                case "model_version":
                    return self._version(field, item.model_version)
                case "alias":
                    return ImportItem(field, self._alias(item.alias))
                case "stage":
                    return ImportItem(field, self._stage(item.stage))
            raise Invalid(Reason.REASON_REQUIRED, "Say what is to be imported.")

    def _new_model(self, given: Model) -> Iterator[Command]:
        self._check_own(given.name)
        yield creation(self._model, given)
        yield from self._changes(given)

    def _changed(self, given: Model) -> Iterator[Command]:
        self._check_own(given.name)
        yield from self._changes(given)

    def _changes(self, given: Model) -> Iterator[Command]:
        if given.HasField("stage_graph"):
            yield SetStageGraph(str(self._model), graph.parsed(given.stage_graph))
        if given.state == State.STATE_ARCHIVED:
            yield ArchiveModel(str(self._model))

    def _version(self, field: str, given: ModelVersion) -> ImportItem:
        self._number += 1
        named_number = self._number_of(given.name, "name") if given.name else 0
        number = given.number or named_number or self._number
        if named_number not in {0, number}:
            raise Invalid(
                Reason.REASON_MALFORMED,
                f"Give the version one number: it is {number}, and its name is {given.name}.",
                field="number",
            )
        command = registration(self._model, given, self._parent_versions(given))
        if is_kept(given):
            command = with_files(command, self._manifests[given.manifest_digest])
        commands: tuple[Command, ...] = (command,)
        if given.state == State.STATE_ARCHIVED:
            commands = (command, ArchiveVersion(str(self._model), number))
        return ImportItem(
            field, commands, number, is_number_given=bool(given.number or named_number)
        )

    def _parent_versions(self, given: ModelVersion) -> list[str]:
        found = [
            self._foreign.get(name) or str(self._model.version(VersionName.parse(name).number))
            for name in given.parent_versions
        ]
        return list(dict.fromkeys(found))

    def _alias(self, given: Alias) -> tuple[Command, ...]:
        name = AliasName.parse(given.name)
        self._check_own(str(name.parent))
        own = AliasName(self._model.namespace, self._model.model, name.alias)
        return (self._move(str(own), given.version, "version"),)

    def _stage(self, given: Stage) -> tuple[Command, ...]:
        name = StageName.parse(given.name)
        self._check_own(str(name.parent))
        own = str(StageName(self._model.namespace, self._model.model, name.stage))
        holders = given.holders or [StageHolder(version=given.version)]
        moves = [
            replace(self._move(own, holder.version, "version"), weight=holder.weight)
            for holder in holders
        ]
        return (moves[0], *(replace(move, is_beside=True) for move in moves[1:]))

    def _move(self, name: str, version: str, field: str) -> SetTarget:
        if not version:
            raise Invalid(Reason.REASON_REQUIRED, "Fill in the version that holds it.", field=field)
        return SetTarget(str(self._model), name, self._number_of(version, field))

    def _number_of(self, version: str, field: str) -> int:
        """Return the number of a version of the model, by whichever of its names."""
        name = VersionName.parse(version)
        if name.parent == self._given:
            return name.number
        return number_in(self._model, version, field)

    def _check_own(self, name: str) -> None:
        """Refuse what is of another model than the batch."""
        if name and ModelName.parse(name) not in {self._given, self._model}:
            raise Invalid(
                Reason.REASON_MALFORMED,
                f"Send what is of {name} in a batch of its own; this one is of {self._given}.",
                field="name",
            )


def named_items(request: api.ImportRequest) -> Iterator[tuple[str, api.ImportItem]]:
    """Yield each item with the field of the request that holds it."""
    for index, item in enumerate(request.items):
        yield f"items[{index}].{item.WhichOneof('item') or 'item'}", item


@contextmanager
def named(field: str) -> Iterator[None]:
    """Say in each refusal which item was refused."""
    try:
        yield
    except (MalformedName, TrustError) as error:
        raise at(Invalid(Reason.REASON_MALFORMED, str(error)), field) from None
    except Refusal as refusal:
        raise at(refusal, field) from None
