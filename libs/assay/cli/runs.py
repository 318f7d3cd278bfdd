"""Run files: what a training run writes down of itself, to be recorded with the version."""

from pathlib import Path

from assay import references
from assay.cli.documents import Document, read_one
from assay.hashing import digest_files
from assay.lineage.v1.resources_pb2 import Code, Dataset, Run
from assay.names import RunName
from assay.registering import finite
from assay_trust import digests
from assay_trust.errors import MalformedDigest

_FIELDS = (
    "name",
    "params",
    "metrics",
    "code",
    "datasets",
    "input_versions",
    "start_time",
    "end_time",
)


def read_run(path: Path, namespace: str) -> Run:
    """Return the run that a YAML or JSON file describes; paths in it are relative to it."""
    document = read_one(path)
    document.only(*_FIELDS)
    name = document.text("name")
    if name.startswith("namespaces/"):
        return Run(name=str(RunName.parse(name)))  # one that is recorded already
    code = document.part("code")
    code.only("repository", "commit")
    return Run(
        display_name=name,
        params=document.scalars("params"),
        metrics=finite(document.numbers("metrics")),
        code=Code(repository=code.text("repository"), commit=code.text("commit")),
        input_datasets=[_dataset(part, path.parent) for part in document.parts("datasets")],
        input_versions=[
            str(references.version(text, namespace)) for text in document.texts("input_versions")
        ],
        start_time=document.time("start_time"),
        end_time=document.time("end_time"),
    )


def _dataset(document: Document, folder: Path) -> Dataset:
    document.only("name", "digest", "path", "uri")
    digest, path = document.text("digest"), document.text("path")
    if bool(digest) == bool(path):
        raise document.wrong("digest", "or path must be given, not both")
    if path:
        digest = _digest(document, folder / path)
    elif not digest.startswith("sha256:"):
        digest = f"sha256:{digest}"
    try:
        digests.parse(digest)
    except MalformedDigest as error:
        raise document.wrong("digest", "must be sha256: and 64 lower-case hex digits") from error
    return Dataset(
        display_name=document.text("name") or Path(path).name,
        digest=digest,
        uri=document.text("uri"),
    )


def _digest(document: Document, path: Path) -> str:
    if not path.is_file():
        raise document.wrong("path", f"must name a file; {path} is none")
    (found,) = digest_files([path])
    return found.digest
