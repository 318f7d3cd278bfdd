"""The comparison at the end: a fresh read of the source beside what Assay says, fact by fact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from assay import manifests, paging
from assay.artifact.v1 import artifact_service_pb2 as artifact_api
from assay.client import Client
from assay.manifests import Entry
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import ModelVersion, State
from assay.mlflow import facts
from assay.mlflow.advice import Adviser
from assay.mlflow.entities import SourceModel, SourceVersion
from assay.mlflow.facts import Difference, Facts
from assay.mlflow.faults import SourceFailed, Unusable, quoted
from assay.mlflow.fetching import Fetcher
from assay.mlflow.labelling import Holders
from assay.mlflow.options import Options
from assay.mlflow.places import files_of
from assay.mlflow.reading import Reader
from assay.mlflow.report import Report
from assay.mlflow.writing import Writer
from assay.names import ArtifactName, ModelName, NamespaceName, model_id

_A_CALL = 500


@dataclass(frozen=True, slots=True)
class Verifier:
    """Compares models, and says of each difference what to do."""

    client: Client
    reader: Reader
    options: Options
    report: Report
    pool: ThreadPoolExecutor
    adviser: Adviser
    digests: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def compare(self, name: str) -> None:
        """Compare one model with all that belongs to it."""
        model = self.reader.model(name)
        place = ModelName(self.options.namespace, model_id(name))
        ours = Writer(self.client, self.reader.source.name, name, place).existing()
        if ours is None:
            self.report.differs(f"{quoted(name)}: it is not in Assay; run the import again.")
            return
        self._note(model.name, 0, facts.of_model(model), facts.of_imported_model(ours))
        holders, latest = Holders(), 0
        for numbers, versions in self._numbered(name, holders):
            latest = numbers[-1]
            self._compare_versions(model, place, numbers, versions)
        for start in range(latest + 1, ours.latest_number + 1, _A_CALL):
            numbers = list(range(start, min(start + _A_CALL, ours.latest_number + 1)))
            self._compare_versions(model, place, numbers, {})
        self._compare_labels(model, place, holders)

    def compare_names(self, names: Sequence[str]) -> None:
        """Note each model that came from the source, is in use, and is not among its names."""
        request = api.SearchModelsRequest(
            parent=str(NamespaceName(self.options.namespace)),
            filter=f'imported.source = "{self.reader.source.name}" AND state = ACTIVE',
        )
        found = paging.collect(self.client.metadata.SearchModels, request).models
        for name in sorted({model.imported.claims.get("name", "") for model in found} - {*names}):
            advice = self.adviser.archive("model", name)
            self.report.differs(f"{quoted(name)}: the source no longer has it. {advice}")

    def _numbered(
        self, name: str, holders: Holders
    ) -> Iterator[tuple[list[int], dict[int, SourceVersion]]]:
        """Yield the numbers from 1 to the last, some at a time, and the versions among them."""
        versions, following = iter(self.reader.versions(name)), 1
        while some := list(islice(versions, _A_CALL)):
            for version in some:
                holders.add(version)
            wanted = range(following, some[-1].number + 1)
            following = some[-1].number + 1
            by_number = {version.number: version for version in some}
            for start in range(0, len(wanted), _A_CALL):
                yield list(wanted[start : start + _A_CALL]), by_number

    def _compare_versions(
        self,
        model: SourceModel,
        place: ModelName,
        numbers: Sequence[int],
        versions: Mapping[int, SourceVersion],
    ) -> None:
        names = [str(place.version(number)) for number in numbers]
        request = api.BatchGetModelVersionsRequest(parent=str(place.parent), names=names)
        found = self.client.metadata.BatchGetModelVersions(request).model_versions
        ours = {version.number: version for version in found}

        def compare(number: int) -> None:
            self._compare_version(model, number, versions.get(number), ours.get(number))

        list(self.pool.map(compare, numbers))

    def _compare_version(
        self,
        model: SourceModel,
        number: int,
        theirs: SourceVersion | None,
        ours: ModelVersion | None,
    ) -> None:
        title = f"{model.name}/{number}"
        if ours is None:
            self.report.differs(f"{quoted(title)}: it is not in Assay; run the import again.")
            return
        if theirs is None:
            self._compare_gap(model.name, number, ours)
            return
        if ours.imported.source != self.reader.source.name:
            self.report.differs(
                f"{quoted(title)}: it was registered in Assay, and the source has another of this "
                "number; import the model into another namespace, with --namespace."
            )
            return
        run = self.reader.run(theirs.run_id)
        told = facts.of_version(model, theirs, run, is_external=not ours.manifest_digest)
        self._note(model.name, number, told, facts.of_imported_version(ours))
        if ours.manifest_digest:
            self._compare_files(theirs, ours)

    def _compare_gap(self, name: str, number: int, ours: ModelVersion) -> None:
        """Compare a version of Assay that the source does not have."""
        if ours.imported.source != self.reader.source.name:
            return  # registered in Assay since
        if "absent" in ours.imported.claims:
            self._note(name, number, facts.of_gap(number), facts.of_imported_version(ours))
        elif ours.state == State.STATE_ARCHIVED:
            self.report.compared("gap", is_same=True)
        else:
            advice = self.adviser.archive("version", f"{name}/{number}")
            title = quoted(f"{name}/{number}")
            self.report.differs(f"{title}: the source no longer has it. {advice}")

    def _compare_files(self, theirs: SourceVersion, ours: ModelVersion) -> None:
        """Compare paths and sizes, and what was downloaded by its digest."""
        namespace = NamespaceName(self.options.namespace)
        name = str(ArtifactName.of(namespace, ours.manifest_digest))
        request = artifact_api.GetManifestRequest(name=name)
        kept = self.client.artifact.GetManifest(request).manifest.files
        entries = [Entry(file.path, file.digest, file.size_bytes) for file in kept]
        manifests.check(entries, ours.manifest_digest)
        sent = self.digests.get((theirs.model, theirs.number), ours.manifest_digest)
        if sent != ours.manifest_digest:
            wrong = Difference("file", "manifest_digest", sent, ours.manifest_digest)
            self._differs(theirs.model, theirs.number, wrong)
        try:
            listed = {file.path: str(file.size_bytes) for file in files_of(self.reader, theirs)}
            if self.options.check_bytes:
                fetcher = Fetcher(self.reader, self.client.artifact, str(namespace))
                listed = {e.path: f"{e.size_bytes} {e.digest}" for e in fetcher.digests(theirs)}
        except Unusable as error:
            self.report.differs(error.message)
            return
        except SourceFailed as error:
            if not self.options.allow_missing:
                raise
            self.report.differs(f"{quoted(theirs.title)}: its files are not compared: {error}")
            return
        held = {e.path: str(e.size_bytes) for e in entries}
        if self.options.check_bytes:
            held = {e.path: f"{e.size_bytes} {e.digest}" for e in entries}
        self._note(theirs.model, theirs.number, _files(listed), _files(held))

    def _compare_labels(self, model: SourceModel, place: ModelName, holders: Holders) -> None:
        metadata, parent = self.client.metadata, str(place)
        aliases = paging.collect(
            metadata.ListAliases, api.ListAliasesRequest(parent=parent)
        ).aliases
        stages = paging.collect(metadata.ListStages, api.ListStagesRequest(parent=parent)).stages
        theirs = {
            **{("alias", alias): str(number) for alias, number in model.aliases.items()},
            **{("stage", stage): str(number) for stage, number in holders.numbers.items()},
        }
        ours = {
            **_held("alias", ((alias.name, alias.version) for alias in aliases)),
            **_held("stage", ((stage.name, stage.version) for stage in stages)),
        }
        self._note(model.name, 0, theirs, ours)

    def _note(self, model: str, number: int, theirs: Facts, ours: Facts) -> None:
        """Count the facts of the source, and note what differs."""
        wrong = facts.differences(theirs, ours)
        for difference in wrong:
            self._differs(model, number, difference)
        unequal = {(difference.kind, difference.key) for difference in wrong}
        for fact in theirs:
            self.report.compared(fact[0], is_same=fact not in unequal)

    def _differs(self, model: str, number: int, wrong: Difference) -> None:
        title = f"{model}/{number}" if number else model
        what = " ".join(filter(None, [wrong.kind, quoted(wrong.key)]))
        sides = f"source {_shown(wrong.source)}, Assay {_shown(wrong.assay)}"
        advice = self.adviser.advise(model, number, wrong)
        self.report.differs(f"{quoted(title)}: {what}: {sides}. {advice}")


def _held(kind: str, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the number of the version that holds each label."""
    return {(kind, name.rpartition("/")[2]): version.rpartition("/")[2] for name, version in pairs}


def _files(files: Mapping[str, str]) -> Facts:
    return {("file", path): text for path, text in files.items()}


def _shown(value: str) -> str:
    return f"'{quoted(value)}'" if value else "nothing"
