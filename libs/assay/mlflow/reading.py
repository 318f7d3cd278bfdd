"""Walks over a registry: pages that end, skip nothing and double nothing while the source grows."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from assay.mlflow import entities
from assay.mlflow.entities import Json, SourceModel, SourceRun, SourceVersion, inner, objects, text
from assay.mlflow.faults import Absent, quoted, unusable
from assay.mlflow.source import Source

MODELS_A_PAGE = 1000
VERSIONS_A_PAGE = 1000
_MOST_MODELS = 1_000_000
_DELETED = "Deleted_Internal"


class Reader:
    """Reads models, versions and runs of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def model_names(self) -> Iterator[str]:
        """Yield the name of each model, each once, by name."""
        seen = set[str]()
        token = ""
        while True:
            query = [("max_results", str(MODELS_A_PAGE)), ("order_by", "name ASC")]
            query += [("page_token", token)] if token else []
            try:
                page = self.source.get("registered-models/search", query)
            except Absent:
                raise unusable("The source has no list of models: name them by --model.") from None
            names = [text(data, "name") for data in objects(page, "registered_models")]
            fresh = [name for name in dict.fromkeys(names) if name not in seen]
            seen.update(fresh)
            yield from fresh
            token = text(page, "next_page_token")
            if not token:
                return
            if not fresh or len(seen) > _MOST_MODELS:
                raise unusable("The source's list of models does not end: name them by --model.")

    def model(self, name: str) -> SourceModel:
        """Return one model with its aliases."""
        try:
            answer = self.source.get("registered-models/get", [("name", name)])
        except Absent:
            raise unusable(f"The source has no model {quoted(name)}.") from None
        found = entities.model(inner(answer, "registered_model"))
        if found.name != name:
            raise unusable(f"The source answers {quoted(found.name)} for {quoted(name)}.")
        return found

    def versions(self, name: str) -> Iterator[SourceVersion]:
        """Yield the versions of a model that are not deleted, by number.

        Each page asks for the numbers after the last one: whatever is made or deleted meanwhile,
        no version is skipped, and a page without a higher number is the last.
        """
        after = 0
        while True:
            page = self.source.get(
                "model-versions/search",
                [
                    ("filter", f"{_named(name)} AND version_number > {after}"),
                    ("order_by", "version_number ASC"),
                    ("max_results", str(VERSIONS_A_PAGE)),
                ],
            )
            found = list(map(entities.version, objects(page, "model_versions")))
            own = [version for version in found if version.model == name]
            if any(a >= b for a, b in pairwise([after, *(version.number for version in own)])):
                raise unusable(f"The source does not list {quoted(name)} by version number.")
            yield from (version for version in own if version.stage != _DELETED)
            if not found or (len(found) < VERSIONS_A_PAGE and not page.get("next_page_token")):
                return
            last = found[-1].number - (found[-1].model != name)  # ours may come after another's
            if last <= after:
                raise unusable(f"The versions of {quoted(name)} in the source do not end.")
            after = last

    def run(self, run_id: str) -> SourceRun | None:
        """Return what a run says of its model, None where it is deleted for good."""
        if not run_id:
            return None
        try:
            answer = self.source.get("runs/get", [("run_id", run_id)])
        except Absent:
            return None
        return entities.run(inner(inner(answer, "run"), "data"))

    def download_uri(self, version: SourceVersion) -> str:
        """Return where MLflow says that the files of a version lie."""
        query = [("name", version.model), ("version", str(version.number))]
        try:
            return text(self.source.get("model-versions/get-download-uri", query), "artifact_uri")
        except Absent:
            return ""


def _named(name: str) -> str:
    """Return the condition that picks a model; MLflow's filters know no escape for a quote."""
    for quote in ("'", '"'):
        if quote not in name:
            return f"name = {quote}{name}{quote}"
    pattern = name.replace("'", "_")  # any one character: other models are left out afterwards
    return f"name LIKE '{pattern}'"


def file_entries(answer: Mapping[str, object]) -> list[tuple[str, bool, int]]:
    """Return what a listing of artifacts holds: path, whether it is a folder, and its size."""
    return [
        (text(entry, "path"), bool(entry.get("is_dir")), entities.integer(entry, "file_size"))
        for entry in objects(answer, "files")
    ]


def root_uri(answer: Json) -> str:
    """Return where a listing of artifacts begins."""
    return text(answer, "root_uri")
