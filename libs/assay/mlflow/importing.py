"""One import, model by model: what is not there yet is written, then everything is compared.

Of each model: (1) the model, (2) its versions in order, their files first, (3) aliases and stages.
What was written stays: another run finds it, and goes on behind it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from assay.client import Client
from assay.errors import AssayError
from assay.metadata.v1.resources_pb2 import ModelVersion
from assay.mlflow import translating
from assay.mlflow.advice import Adviser
from assay.mlflow.entities import SourceModel, SourceVersion
from assay.mlflow.faults import Absent, SourceFailed, quoted, unusable
from assay.mlflow.fetching import Fetched, Fetcher
from assay.mlflow.labelling import Holders, Labeller
from assay.mlflow.options import Options
from assay.mlflow.places import files_of
from assay.mlflow.reading import Reader
from assay.mlflow.report import Report
from assay.mlflow.source import Source
from assay.mlflow.translating import Files
from assay.mlflow.verifying import Verifier
from assay.mlflow.writing import MOST_BYTES, MOST_ITEMS, Writer
from assay.names import MalformedName, ModelName, model_id

PARALLEL = 4
_WITH_FILES = 24  # versions a batch: a broken import downloads few of them again
_MOST_GAP = 10_000
_OF_ONE_MODEL = frozenset(
    {"INVALID_ARGUMENT", "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED", "ABORTED"}
)
Listener = Callable[[str, int, int, str], None]
"""Is told the step, how many models are done, how many there are, and what is under way."""


@dataclass(frozen=True, slots=True)
class _Gap:
    """A number that the source no longer has."""

    number: int


@dataclass(slots=True)
class Importer:
    """Imports one source into one namespace."""

    client: Client
    source: Source
    options: Options
    listen: Listener = lambda *_: None
    report: Report = field(default_factory=Report)
    digests: dict[tuple[str, int], str] = field(default_factory=dict)

    def run(self) -> Report:
        """Import all models that were asked for, compare them, and say how it went."""
        reader = Reader(self.source)
        names = list(dict.fromkeys(self.options.models)) or list(reader.model_names())
        with ThreadPoolExecutor(PARALLEL, "assay-import") as pool:
            importing = _OneModel(self, reader, pool)
            imported = self._each("import", names, importing.run)
            if not self.options.is_dry_run:
                adviser = importing.labeller.adviser
                verifier = Verifier(
                    self.client, reader, self.options, self.report, pool, adviser, self.digests
                )
                self._each("compare", imported, verifier.compare)
                if not self.options.models:
                    verifier.compare_names(names)
        return self.report

    def _each(self, step: str, names: Sequence[str], act: Callable[[str], None]) -> list[str]:
        """Do the step for each model; one that is refused stops no other. Return those done."""
        done = list[str]()
        for count, name in enumerate(names):
            self.listen(step, count, len(names), name)
            try:
                act(name)
            except MalformedName as error:
                self.report.refuse(f"{quoted(name)}: {error}")
            except Absent:
                self.report.refuse(f"{quoted(name)}: it went from the source meanwhile.")
            except SourceFailed:
                raise
            except AssayError as error:
                if error.code not in _OF_ONE_MODEL:
                    raise
                self.report.refuse(f"{quoted(name)}: {error.message}")
            else:
                done.append(name)
        self.listen(step, len(names), len(names), "")
        return done


class _OneModel:
    """Imports one model after the other; several versions of it are on their way at once."""

    def __init__(self, whole: Importer, reader: Reader, pool: ThreadPoolExecutor) -> None:
        self._options, self._report, self._reader = whole.options, whole.report, reader
        self._client, self._digests, self._listen = whole.client, whole.digests, whole.listen
        self._pool = pool
        namespace = f"namespaces/{whole.options.namespace}"
        self._fetcher = Fetcher(
            reader,
            whole.client.artifact,
            namespace,
            whole.options.allow_missing,
            whole.report.count_bytes,
        )
        self.labeller = Labeller(whole.client, whole.report, Adviser(whole.options.command_options))

    def run(self, name: str) -> None:
        """Import what Assay does not have of one model yet."""
        model = self._reader.model(name)
        place = ModelName(self._options.namespace, model_id(name))
        writer = Writer(self._client, self._reader.source.name, name, place)
        existing = writer.existing()
        latest, holders = existing.latest_number if existing else 0, Holders()
        self._report.known += latest
        if existing is None and not self._options.is_dry_run:
            writer.write_model(translating.model(writer.source, model))
        size = _WITH_FILES if self._options.with_files else MOST_ITEMS
        for chunk in _chunks(self._missing(model, holders, latest), size):
            self._import(writer, model, chunk)
        for line in holders.notes(model):
            self._report.note(line)
        if not self._options.is_dry_run:
            self.labeller.label(writer, model, holders)

    def _missing(
        self, model: SourceModel, holders: Holders, latest: int
    ) -> Iterator[SourceVersion | _Gap]:
        """Yield the versions that Assay lacks, and each number that is missing between them."""
        following = 1
        for version in self._reader.versions(model.name):
            if version.number - following > _MOST_GAP:
                raise unusable(
                    f"The source lacks more than {_MOST_GAP} numbers before {version.number}."
                )
            holders.add(version)
            for number in range(max(following, latest + 1), version.number):
                yield _Gap(number)
            following = version.number + 1
            if version.number > latest:
                yield version

    def _import(
        self, writer: Writer, model: SourceModel, chunk: Sequence[SourceVersion | _Gap]
    ) -> None:
        """Bring in the files of some versions, then write these at once."""
        if self._options.is_dry_run:
            list(self._pool.map(self._look, chunk))
            self._report.written += len(chunk)
            return
        made = list(self._pool.map(lambda wanted: self._make(model, wanted), chunk))
        for part in _parts(made):
            self._report.written += writer.write_versions(part)
            self._listen("write", part[-1].number, 0, model.name)

    def _make(self, model: SourceModel, wanted: SourceVersion | _Gap) -> ModelVersion:
        """Return a version as Import takes it, its files stored."""
        source = self._reader.source.name
        if isinstance(wanted, _Gap):
            return translating.absent(source, wanted.number)
        fetched = self._fetcher.store(wanted) if self._options.with_files else Fetched(Files())
        if fetched.files.manifest_digest:
            self._digests[wanted.model, wanted.number] = fetched.files.manifest_digest
        run = self._reader.run(wanted.run_id)
        archived = translating.is_archived(wanted, model)
        return translating.version(source, wanted, run, fetched.files, archived=archived)

    def _look(self, wanted: SourceVersion | _Gap) -> None:
        """Count what would be imported of a version."""
        if isinstance(wanted, _Gap):
            self._report.would("gap", 1)
            return
        self._report.would("version", 1)
        if self._options.with_files:
            files = files_of(self._reader, wanted)
            self._report.would("file", len(files))
            self._report.would("elsewhere", int(not files))
            self._report.count_bytes(sum(file.size_bytes for file in files))


def _chunks(
    wanted: Iterable[SourceVersion | _Gap], size: int
) -> Iterator[list[SourceVersion | _Gap]]:
    rest = iter(wanted)
    while chunk := list(islice(rest, size)):
        yield chunk


def _parts(versions: Sequence[ModelVersion]) -> Iterator[list[ModelVersion]]:
    """Cut versions into batches that fit one message."""
    part, total = list[ModelVersion](), 0
    for version in versions:
        size = version.ByteSize()
        if part and total + size > MOST_BYTES:
            yield part
            part, total = [], 0
        part.append(version)
        total += size
    if part:
        yield part
