"""Register and pull: the two ways of a version in and out, each of several calls."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay import manifests, references
from assay.artifact.v1.resources_pb2 import Manifest
from assay.downloads import download
from assay.errors import AlreadyExists, Invalid, NotFound
from assay.lineage.v1 import lineage_service_pb2 as lineage_api
from assay.lineage.v1.resources_pb2 import Run
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay.names import ModelName, VersionName
from assay.progress import Listener, ignore
from assay.references import Labelled
from assay.type.v1.metric_pb2 import Metric
from assay.uploads import upload

if TYPE_CHECKING:
    from assay.client import Client


@dataclass(frozen=True, slots=True)
class Details:
    """What is told of a version beside its files.

    Attributes:
        run: The run that made it, recorded first, unless it has a name already.
        about: What else is told: card, signature, format, parents, semantic version.
    """

    description: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    run: Run | None = None
    about: ModelVersion = field(default_factory=ModelVersion)


NO_DETAILS = Details()


def register(
    client: "Client",
    name: str,
    path: Path,
    details: Details = NO_DETAILS,
    listen: Listener = ignore,
) -> api.RegisterModelVersionResponse:
    """Store the files at `path`, make the model where it is not there, register the version."""
    model = references.model(name, client.namespace)
    version = described(client, name, details)
    manifest = upload(client.artifact, str(model.parent), manifests.walk(path), listen)
    version.manifest_digest = manifest.manifest_digest
    return add(client, name, version)


def described(client: "Client", name: str, details: Details) -> ModelVersion:
    """Return a version of `name` with what is told of it, its run recorded, without files."""
    model = references.model(name, client.namespace)
    version = ModelVersion(
        description=details.description,
        metrics=finite(details.metrics),
        params=details.params,
        tags=details.tags,
    )
    version.MergeFrom(details.about)
    if details.run:
        version.run = _record(client, model, details.run)
    return version


def add(client: "Client", name: str, version: ModelVersion) -> api.RegisterModelVersionResponse:
    """Register `version` as the next one of the model `name`, made where it is not there."""
    model = references.model(name, client.namespace)
    request = api.RegisterModelVersionRequest(parent=str(model), model_version=version)
    return _register(client, model, request)


def resolve(client: "Client", reference: str) -> api.ResolveResponse | api.GetModelVersionResponse:
    """Return the version that NAME/N, NAME@ALIAS or else NAME@STAGE stands for."""
    named = references.parse(reference, client.namespace)
    if isinstance(named, VersionName):
        return client.metadata.GetModelVersion(api.GetModelVersionRequest(name=str(named)))
    return _resolve_label(client, named)


def pull(
    client: "Client",
    reference: str,
    directory: Path,
    *,
    force: bool = False,
    listen: Listener = ignore,
) -> Manifest:
    """Write the verified files of a version below `directory`."""
    version = resolve(client, reference).model_version
    namespace = VersionName.parse(version.name).parent.parent
    return download(
        client.artifact,
        str(namespace),
        version.manifest_digest,
        directory,
        force=force,
        listen=listen,
    )


def finite(values: Mapping[str, float]) -> list[Metric]:
    """Return metrics of finite numbers only."""
    for key, value in values.items():
        if not math.isfinite(value):
            raise Invalid(
                f"The metric {key} must be a finite number.",
                reason="NOT_FINITE",
                metadata={"metric": key},
            )
    return [Metric(key=key, value=value) for key, value in values.items()]


def _resolve_label(client: "Client", named: Labelled) -> api.ResolveResponse:
    try:
        return client.metadata.Resolve(api.ResolveRequest(name=str(named.alias)))
    except NotFound as no_alias:
        try:
            return client.metadata.Resolve(api.ResolveRequest(name=str(named.stage)))
        except NotFound:
            raise NotFound(
                f"Model {named.model.model} has no alias and no stage {named.label!r}.",
                reason="NOT_FOUND",
                metadata={**no_alias.metadata, "model": named.model.model},
            ) from None


def _register(
    client: "Client", model: ModelName, request: api.RegisterModelVersionRequest
) -> api.RegisterModelVersionResponse:
    """Register the version; make the model and try again where it is not there."""
    try:
        return client.metadata.RegisterModelVersion(request)
    except NotFound:
        creation = api.CreateModelRequest(
            parent=str(model.parent), model=Model(), model_id=model.model
        )
        with suppress(AlreadyExists):  # somebody else made it, or something else is missing
            client.metadata.CreateModel(creation)
        return client.metadata.RegisterModelVersion(request)


def _record(client: "Client", model: ModelName, run: Run) -> str:
    if run.name:
        return run.name
    request = lineage_api.RecordRunRequest(parent=str(model.parent), run=run)
    return client.lineage.RecordRun(request).run.name
