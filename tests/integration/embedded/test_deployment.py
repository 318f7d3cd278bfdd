"""What `deploy/` says is what the embedded stack says."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import yaml

from assay_serve.embedded import binaries, certificates, deployment, nats, objects, postgres
from assay_serve.embedded.contexts import SERVICES
from assay_serve.embedded.credentials import Secrets
from assay_serve.embedded.data_folder import DataFolder
from assay_serve.embedded.services import Modules, Wiring, internal
from tests.integration.embedded.stack import Json

DEPLOY = Path(__file__).parents[3] / "deploy"
SECRETS = Secrets("d", "o", nats.make_passwords(), postgres.make_passwords(), objects.make_keys())


def test_the_files_are_as_the_embedded_stack_would_write_them() -> None:
    remedy = "run `python -m assay_serve.embedded.deployment deploy`"
    assert (DEPLOY / "nats" / "nats.conf").read_text() == deployment.nats_config(), remedy
    assert (DEPLOY / "postgres" / "roles.sql").read_text() == deployment.roles_sql(), remedy


def test_the_nats_server_takes_its_configuration() -> None:
    command = (str(binaries.nats_server()), "-t", "-c", str(DEPLOY / "nats" / "nats.conf"))
    told = {**os.environ, **deployment.environment(SECRETS)}
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    forgotten = {name: value for name, value in told.items() if "NATS_PASSWORD_AUDIT" not in name}
    done = subprocess.run(command, env=forgotten, capture_output=True, text=True, check=False)
    assert done.returncode != 0


async def test_the_roles_can_be_made_again_with_new_passwords(tmp_path: Path) -> None:
    with postgres.running(tmp_path) as database:
        _make_roles(database)
        with pytest.raises(asyncpg.exceptions.InvalidPasswordError):
            await asyncpg.connect(database.url("metadata"))
        for role in postgres.ROLES:
            service = "audit" if role == postgres.AUDIT_OWNER else role
            password = SECRETS.postgres[role]
            connection = await asyncpg.connect(postgres.url(database.port, role, password, service))
            await connection.close()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_the_same_in_both(service: str) -> None:
    names = (*SERVICES, *map(internal, SERVICES), "nats", "postgres", *objects.PORTS)
    port = dict.fromkeys(names, 1)
    own = {name: f"assay_{name}.main" for name in SERVICES}
    wiring = Wiring(DataFolder(Path("/data")), SECRETS, port, Modules(own, ""))
    composed = _environment(service)
    optional = {"OTEL_EXPORTER_OTLP_ENDPOINT", "ASSAY_OIDC_ISSUERS"}
    assert set(composed) - optional == set(wiring.env(service)) - optional
    for name in ("ASSAY_SERVICE", "ASSAY_NATS_USER"):
        assert composed[name] == wiring.env(service)[name]
    peers = json.loads(composed["ASSAY_PEERS"])
    assert set(peers) == set(json.loads(wiring.env(service)["ASSAY_PEERS"]))
    for name, value in composed.items():
        for other in SERVICES:
            if other != service and name != "ASSAY_PEERS":
                assert f"_{other.upper()}:" not in value, (name, value)


@pytest.mark.parametrize("service", SERVICES)
def test_services_call_the_internal_port_with_their_own_certificate(service: str) -> None:
    composed = _environment(service)
    port = composed["ASSAY_INTERNAL_LISTEN"].partition(":")[2]
    assert port != composed["ASSAY_LISTEN"].partition(":")[2]
    for peer, address in json.loads(composed["ASSAY_PEERS"]).items():
        assert address == f"{peer}:{port}"
    mounted = _list(_services()[service].get("volumes", []))
    assert mounted == [f"${{ASSAY_DATA:?}}/identity/tls/{service}:/run/tls:ro"]
    for path in certificates.environ(Path("/run"), "tls").items():
        assert path in composed.items()


def test_certificates_are_renewed_there_too() -> None:
    renewer = _services()["certificates"]
    assert _list(renewer["command"])[2:] == [certificates.__name__, "/tls", "${ASSAY_DEPLOYMENT:?}"]
    assert renewer["volumes"] == ["${ASSAY_DATA:?}/identity/tls:/tls"]


def test_the_tables_of_the_audit_log_are_made_by_their_owner_there_too() -> None:
    assert "//audit_owner:" in _environment("audit-prepare")["ASSAY_POSTGRES_OWNER_URL"]
    assert "ASSAY_POSTGRES_OWNER_URL" not in _environment("audit")


def test_every_variable_of_compose_is_one_that_the_stack_makes() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?\}", text))
    assert wanted == {*deployment.environment(SECRETS), "ASSAY_DATA"}


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for each in _services().values() for port in _list(each.get("ports", []))]
    assert len(published) == len(SERVICES) + 1
    assert all(port.startswith("127.0.0.1:") for port in published)
    services = {port.split(":")[1] for port in published} - {"7100"}
    assert services == {str(port) for port in deployment.PUBLISHED.values()}


def test_the_s3_server_is_closed_as_much_as_the_embedded_one(tmp_path: Path) -> None:
    port = dict.fromkeys(objects.PORTS, 1)
    embedded = objects.program(tmp_path, tmp_path / "log", port, SECRETS.s3).argv
    composed = _list(_services()["s3"]["command"])
    differs = {flag for flag in embedded[1:] if flag not in composed}
    assert differs == {flag for flag in embedded if flag.endswith("=1")}


def test_the_environment_of_compose_is_made_once(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "assay_serve.embedded.deployment", "--environment", tmp_path)
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in "ab"
    )
    assert first == second
    told = dict(line.split("=", 1) for line in first.splitlines())
    assert told["ASSAY_DATA"] == str(tmp_path)
    assert all(shlex.quote(value) == value for value in told.values())
    for name in ("s3/security.toml", "identity/jwks.json", "identity/audit.pem", "endpoints.json"):
        assert (tmp_path / name).is_file()
    assert all(Path(path).is_file() for path in _tls(tmp_path).values())


def _tls(folder: Path) -> dict[str, str]:
    return certificates.environ(DataFolder(folder).tls, "metadata")


def _make_roles(database: postgres.Database) -> None:
    script = DEPLOY / "postgres" / "roles.sql"
    psql = binaries.postgres() / "psql"
    command = (str(psql), "-X", "-q", "-d", database.admin_url, "-f", str(script))
    told = {**os.environ, **deployment.environment(SECRETS)}
    subprocess.run(command, env=told, check=True)


def _services() -> dict[str, dict[str, Json]]:
    services: dict[str, dict[str, Json]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())[
        "services"
    ]
    return services


def _environment(service: str) -> dict[str, str]:
    environment = _services()[service]["environment"]
    assert isinstance(environment, dict)
    return {name: str(value) for name, value in environment.items()}


def _list(value: Json) -> list[str]:
    assert isinstance(value, list)
    return [str(item) for item in value]
