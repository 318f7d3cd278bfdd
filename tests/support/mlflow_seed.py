"""Fills a running MLflow with a registry, by MLflow's own client and in its environment.

`python mlflow_seed.py URI` makes three models: `churn` with all that a registry can hold, one with
an odd name, and `many` with as many versions as it takes to need several batches.
"""

import sys
import tempfile
from pathlib import Path

import mlflow  # type: ignore[import-not-found]  # it is in an environment of its own
from mlflow import MlflowClient
from mlflow.models import infer_signature  # type: ignore[import-not-found]

CHURN, ODD, MANY = "churn", "Kündigung 例 'x' \"y\"", "many"
MANY_VERSIONS = 30


def double(model_input: list[float]) -> list[float]:
    """Return twice what comes in: a model small enough for a test."""
    return [2 * value for value in model_input]


def by_hand(client: MlflowClient, name: str, size: int, stem: str = "weights") -> str:
    """Log files by hand to a run and register them; return the version."""
    run = client.create_run("0").info
    client.log_param(run.run_id, "depth", "6")
    client.log_param(run.run_id, "notes", "n" * 2000)
    client.log_metric(run.run_id, "auc", 0.93)
    client.log_metric(run.run_id, "loss", float("nan"))
    with tempfile.TemporaryDirectory() as folder:
        below = Path(folder, "tiefer", "例")
        below.mkdir(parents=True)
        (below / f"{stem} ü.bin").write_bytes(bytes(range(256)) * size)
        Path(folder, "leer").touch()
        client.log_artifacts(run.run_id, folder, "model")
    source = f"{run.artifact_uri}/model"
    return str(client.create_model_version(name, source, run.run_id, {"by": "hand"}).version)


def by_flavor(name: str) -> str:
    """Log a model of a flavor, with a signature, and register it; return the version."""
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=double,
            signature=infer_signature([1.0], [2.0]),
            pip_requirements=[],
            registered_model_name=name,
        )
    return str(info.registered_model_version)


def fill_churn(client: MlflowClient) -> None:
    """Make a model with everything: five versions, the third of them deleted."""
    client.create_registered_model(CHURN, {"team": "risk"}, "Who leaves.\nAnd why.")
    first, second = by_hand(client, CHURN, 40), by_flavor(CHURN)
    third = by_hand(client, CHURN, 1)
    fourth = client.create_model_version(CHURN, "s3://bucket/churn/4", description="Far away.")
    fifth = by_hand(client, CHURN, 2)
    client.delete_model_version(CHURN, third)
    client.update_model_version(CHURN, first, "The first.")
    client.set_model_version_tag(CHURN, first, "data", "d" * 3000)
    client.set_model_version_tag(CHURN, second, "ökologisch", "ja")
    client.transition_model_version_stage(CHURN, first, "Archived")
    client.transition_model_version_stage(CHURN, second, "Production")
    client.transition_model_version_stage(CHURN, fifth, "Production")
    client.transition_model_version_stage(CHURN, fourth.version, "Staging")
    client.set_registered_model_alias(CHURN, "champion", second)
    client.set_registered_model_alias(CHURN, "challenger", fifth)


def fill_others(client: MlflowClient) -> None:
    """Make a model with an odd name, and one with many versions of the same few bytes."""
    client.create_registered_model(ODD, {"größe": "klein"}, "Zwei\u2028Zeilen")
    by_hand(client, ODD, 1, "größe")
    client.create_registered_model(MANY)
    first = client.get_model_version(MANY, by_hand(client, MANY, 1))
    for _ in range(MANY_VERSIONS - 1):
        client.create_model_version(MANY, first.source, first.run_id)


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    fill_churn(MlflowClient())
    fill_others(MlflowClient())
