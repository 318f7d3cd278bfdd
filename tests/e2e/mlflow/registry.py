"""What the tests of imports share: how to import, and what came of it."""

from dataclasses import replace

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay.mlflow.importing import Importer
from assay.mlflow.options import Options
from assay.mlflow.report import Report
from assay.mlflow.source import Login, Source
from tests.support.mlflow_server import Server

CHURN, ODD, MANY = "churn", "Kündigung 例 'x' \"y\"", "many"
NOBODY, WHOLE = Login(), Options()


def bring(client: Client, url: str, tenant: str, *models: str, options: Options = WHOLE) -> Report:
    """Import models, all of them where none is named."""
    chosen = replace(options, namespace=tenant, models=models)
    return Importer(client, Source(url, NOBODY, first_delay_seconds=0.01), chosen).run()


def another(peer: Server, name: str) -> dict[str, str]:
    """Return what registers the files of a version that is there as another model's."""
    told = peer.get(f"model-versions/get?name={MANY}&version=1")["model_version"]
    return {"name": name, "source": told["source"], "run_id": told["run_id"]}


def version(client: Client, tenant: str, model: str, number: int) -> ModelVersion:
    name = f"namespaces/{tenant}/models/{model}/versions/{number}"
    return client.metadata.GetModelVersion(api.GetModelVersionRequest(name=name)).model_version


def model(client: Client, tenant: str, name: str) -> Model:
    name = f"namespaces/{tenant}/models/{name}"
    return client.metadata.GetModel(api.GetModelRequest(name=name)).model
