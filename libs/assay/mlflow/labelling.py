"""Aliases and stages: who holds them in the source, and how they are set in Assay."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from assay import paging
from assay.client import Client
from assay.errors import AssayError
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.mlflow.advice import Adviser
from assay.mlflow.entities import SourceModel, SourceVersion
from assay.mlflow.faults import quoted
from assay.mlflow.report import Report
from assay.mlflow.translating import stage_of
from assay.mlflow.writing import Writer
from assay.names import MalformedName

GOVERNED = "APPROVAL_REQUIRED"
_OF_ONE_LABEL = frozenset(
    {"INVALID_ARGUMENT", "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED", "NOT_FOUND"}
)


@dataclass(slots=True)
class Holders:
    """The stages of one model: of several versions in a stage the latest holds it.

    That is the one that MLflow gives to whoever asks it for `models:/NAME/Production`.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    archived: set[int] = field(default_factory=set)

    def add(self, version: SourceVersion) -> None:
        """Take note of a version's stage; versions come in order."""
        stage = stage_of(version)
        if stage:
            self.numbers[stage] = version.number
            self.counts[stage] += 1
        elif version.stage == "Archived":
            self.archived.add(version.number)

    def notes(self, model: SourceModel) -> Iterator[str]:
        """Yield what could not be taken over as it is."""
        for stage, count in sorted(self.counts.items()):
            if count > 1:
                yield (
                    f"{quoted(model.name)}: {count} versions are in {stage}; the latest, "
                    f"{self.numbers[stage]}, holds it, and the others keep the claim current_stage."
                )
        for number in sorted(self.archived & set(model.aliases.values())):
            title = f"{model.name}/{number}"
            yield f"{quoted(title)}: it is not archived, because an alias points at it."


@dataclass(slots=True)
class Labeller:
    """Sets what nothing holds yet; what is set already is compared at the end."""

    client: Client
    report: Report
    adviser: Adviser

    def label(self, writer: Writer, model: SourceModel, holders: Holders) -> None:
        """Set the aliases and stages of a model."""
        metadata, parent = self.client.metadata, str(writer.place)
        aliases = paging.collect(
            metadata.ListAliases, api.ListAliasesRequest(parent=parent)
        ).aliases
        stages = paging.collect(metadata.ListStages, api.ListStagesRequest(parent=parent)).stages
        held = {alias.name.rpartition("/")[2] for alias in aliases}
        for alias, number in sorted(model.aliases.items()):
            if alias not in held:
                self._set(writer, "alias", alias, number, writer.write_alias)
        held = {stage.name.rpartition("/")[2] for stage in stages}
        for stage, number in sorted(holders.numbers.items()):
            if stage not in held:
                self._set(writer, "stage", stage, number, writer.write_stage)

    def _set(
        self, writer: Writer, kind: str, label: str, number: int, write: Callable[[str, int], bool]
    ) -> None:
        try:
            write(label, number)
        except MalformedName as error:
            self.report.refuse(f"{quoted(writer.name)}@{quoted(label)}: {error}")
        except AssayError as error:
            if error.code not in _OF_ONE_LABEL:
                raise
            if error.reason != GOVERNED:
                self.report.refuse(f"{quoted(writer.name)}@{quoted(label)}: {error.message}")
                return
            self.adviser.governed.add((writer.name, kind, label))
