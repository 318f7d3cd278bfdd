"""Items to import, and the two calls that move whole models."""

import time
from collections.abc import Generator, Iterable, Sequence
from uuid import uuid4

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage
from assay.names import ModelName
from assay_trust import tokens
from tests.integration.metadata.registry import ANN, DIGEST, Registry


def name(model_id: str = "", namespace: str = "default") -> str:
    """Return the name of a model that is not there yet."""
    return f"namespaces/{namespace}/models/{model_id or f'i-{uuid4()}'}"


def new_model(model: str, given: Model | None = None) -> api.ImportItem:
    """Return a model to import."""
    item = api.ImportItem(model=given or Model())
    item.model.name = model
    return item


def version(model: str, number: int = 0, given: ModelVersion | None = None) -> api.ImportItem:
    """Return a version to import: a draft, unless a manifest or a place is given."""
    item = api.ImportItem(model_version=given or ModelVersion())
    own = item.model_version
    own.name, own.number = f"{model}/versions/{number}" if number else "", number
    own.is_draft = not own.manifest_digest and not own.external_uri
    return item


def sealed(model: str, number: int = 0, given: ModelVersion | None = None) -> api.ImportItem:
    """Return a version with the manifest that each test has committed."""
    own = ModelVersion()
    own.CopyFrom(given or own)
    own.manifest_digest = DIGEST
    return version(model, number, own)


def alias(model: str, label: str, number: int) -> api.ImportItem:
    """Return an alias to import."""
    return api.ImportItem(
        alias=Alias(name=f"{model}/aliases/{label}", version=f"{model}/versions/{number}")
    )


def stage(model: str, label: str, number: int) -> api.ImportItem:
    """Return a stage to import."""
    return api.ImportItem(
        stage=Stage(name=f"{model}/stages/{label}", version=f"{model}/versions/{number}")
    )


def batch(
    model: str, items: Iterable[api.ImportItem], number: int = 1, import_id: str = ""
) -> api.ImportRequest:
    """Return one batch."""
    return api.ImportRequest(
        model=model, import_id=import_id or str(uuid4()), batch=number, items=items
    )


def send(
    registry: Registry, requests: Iterable[api.ImportRequest], principal: str = ANN
) -> Generator[api.ImportResponse, None, None]:
    """Yield the answers to batches."""
    call = registry.stub().Import(iter(requests), metadata=bearer(registry, principal))
    for answer in call:
        registry.token = answer.consistency_token
        yield answer


def export(
    registry: Registry, parent: str, given: api.ExportRequest | None = None
) -> list[api.ExportResponse]:
    """Return all parts of an export that has seen the last write."""
    request = api.ExportRequest()
    request.CopyFrom(given or request)
    request.parent = parent
    request.at_least_as_fresh = request.at_least_as_fresh or registry.token
    return list(registry.stub().Export(request, metadata=bearer(registry)))


def items_of(parts: Sequence[api.ExportResponse]) -> list[api.ImportItem]:
    """Return all items of an export."""
    return [item for part in parts for item in part.items]


def commit(registry: Registry, namespace: str = "default") -> None:
    """Have the manifest of `sealed` committed."""
    registry.neighbours.commit(namespace, DIGEST)


def model_id(model: str) -> str:
    """Return the id of a model."""
    return ModelName.parse(model).model


def bearer(registry: Registry, principal: str = ANN) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call by a person."""
    pem = (registry.folder / "identity" / "issuer.pem").read_bytes()
    token = tokens.mint_user(pem, "assay-local", principal, int(time.time()))
    return (("authorization", f"Bearer {token}"),)
