"""The stack as its user sees it: up, status, down, and up again."""

import json
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from assay_serve.embedded import certificates
from assay_serve.embedded.contexts import SERVICES
from assay_trust import jwks, keys
from tests.integration.embedded.stack import BACKENDS, Json, Stack, connect, runs, wait_until


def test_up_starts_everything_and_down_stops_it(stack: Stack) -> None:
    endpoints = stack.up()
    assert set(endpoints) == {*SERVICES, *BACKENDS}
    assert json.loads((stack.path / "endpoints.json").read_text()) == endpoints
    for address in endpoints.values():
        host, _, port = address.partition(":")
        assert host == "127.0.0.1"
        socket.create_connection((host, int(port)), timeout=2).close()
    lines = stack.status()
    assert set(lines) == {"supervisor", *SERVICES, *BACKENDS}
    assert {line["state"] for line in lines.values()} == {"running"}

    assert stack.run("down").returncode == 0
    assert not (stack.path / "endpoints.json").exists()
    assert stack.run("status").returncode == 1
    for line in lines.values():
        assert not runs(int(line["pid"])), line
    assert stack.run("down").returncode == 0


async def test_a_second_start_finds_all_data_on_the_same_ports(stack: Stack) -> None:
    endpoints, secrets = stack.up(), stack.secrets()
    await _publish(endpoints, secrets, "assay.v1.metadata.model.a")
    stack.run("down")
    assert stack.up() == endpoints
    assert stack.secrets() == secrets
    assert await _last_sequence(endpoints, secrets) == 1


def test_up_where_it_is_up_already_changes_nothing(stack: Stack) -> None:
    stack.up()
    before = stack.status()
    done = stack.run("up")
    assert done.returncode == 0
    assert {name: line["pid"] for name, line in stack.status().items()} == {
        name: line["pid"] for name, line in before.items()
    }


def test_two_starts_at_once_give_one_stack(stack: Stack) -> None:
    both = [
        subprocess.Popen(
            stack.command("up", "--json"), env=stack.environ(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0]["endpoints"] == answers[1]["endpoints"]


def test_secrets_are_readable_by_their_owner_only(stack: Stack) -> None:
    stack.up()
    assert _mode(stack.path) == 0o700
    assert _mode(stack.path / "secrets.json") == 0o600
    private = [*stack.path.rglob("*.pem"), *stack.path.rglob("*.key"), *stack.path.rglob("*.toml")]
    private += [stack.path / "nats" / "nats.conf", stack.path / "s3" / "identities.json"]
    assert len(private) > 8
    assert {path.name: _mode(path) for path in private} == {path.name: 0o600 for path in private}


def test_no_secret_reaches_a_log_or_a_command_line(stack: Stack) -> None:
    stack.up()
    secrets = [value for value in _leaves(stack.secrets()) if len(value) > 18]
    seen = "".join(path.read_text(errors="replace") for path in stack.path.glob("logs/*"))
    for line in stack.status().values():
        seen += Path(f"/proc/{line['pid']}/cmdline").read_text()
    assert not [secret for secret in secrets if secret in seen and "-" not in secret[8:9]]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_its_own_secrets_only(running: Stack, service: str) -> None:
    told = json.loads((running.path / "run" / f"{service}-serve.env").read_text())
    secrets = running.secrets()
    own = {told["ASSAY_NATS_PASSWORD"], told["ASSAY_DEPLOYMENT"], told["ASSAY_OWNER"]}
    own |= {told.get("ASSAY_S3_ACCESS_KEY", ""), told.get("ASSAY_S3_SECRET_KEY", "")}
    for value in _leaves(secrets):
        if value not in own and value != "assay":
            in_url = f":{value}@" in told["ASSAY_POSTGRES_URL"]
            assert in_url or value not in json.dumps(told)
    assert f"//{service}:" in told["ASSAY_POSTGRES_URL"]
    assert told["ASSAY_NATS_USER"] == told["ASSAY_SERVICE"] == service
    peers = json.loads(told["ASSAY_PEERS"])
    assert set(peers) == set(SERVICES) - {service}
    listening = {told["ASSAY_LISTEN"], told["ASSAY_INTERNAL_LISTEN"]}
    assert len({*listening, *peers.values()}) == len(SERVICES) + 1
    for variable in ("ASSAY_TLS_CERTIFICATE", "ASSAY_TLS_KEY", "ASSAY_TLS_CA"):
        assert Path(told[variable]).parent == running.path / "identity" / "tls" / service
        assert Path(told[variable]).is_file()
    assert ("ASSAY_S3_SECRET_KEY" in told) == (service == "artifact")
    assert "ASSAY_POSTGRES_OWNER_URL" not in told
    assert "ASSAY_MODULES" not in told


def test_the_audit_tables_are_made_by_their_owner_first(running: Stack) -> None:
    told = json.loads((running.path / "run" / "audit-prepare.env").read_text())
    assert "//audit_owner:" in told["ASSAY_POSTGRES_OWNER_URL"]


def test_each_service_key_is_listed_as_trusted(running: Stack) -> None:
    identity = running.path / "identity"
    trusted = jwks.parse_jwks((identity / "jwks.json").read_bytes())
    assert set(trusted) == {"assay-local", *(f"services/{name}" for name in SERVICES)}
    for name in SERVICES:
        pair = keys.from_pem((identity / f"{name}.pem").read_bytes())
        assert trusted[f"services/{name}"] == pair.public
    assert trusted["assay-local"] == keys.from_pem((identity / "issuer.pem").read_bytes()).public


@pytest.mark.slow
def test_certificates_are_renewed_while_it_runs(stack: Stack) -> None:
    stack.up()
    folder = stack.path / "identity" / "tls"
    kept = (folder / "audit" / "certificate.pem").read_bytes()
    (folder / "metadata" / "certificate.pem").unlink()  # as one whose time has come
    wait_until(lambda: certificates.load(folder / "metadata") is not None, 60)
    assert (folder / "audit" / "certificate.pem").read_bytes() == kept
    log = (stack.path / "logs" / "supervisor.log").read_text()
    assert "renewed the certificate of metadata" in log
    assert stack.is_healthy()


def test_run_hands_a_verb_to_a_service_as_its_owner(running: Stack) -> None:
    done = running.run("run", "audit", "rebuild")
    assert done.returncode == 0, done.stderr
    told = json.loads((running.path.parent / "audit-rebuild.env").read_text())
    assert "//audit_owner:" in told["ASSAY_POSTGRES_OWNER_URL"]


def test_a_taken_port_is_replaced(stack: Stack) -> None:
    before = stack.up()
    stack.run("down")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int(before["nats"].partition(":")[2])))
        squatter.listen()
        after = stack.up()
    assert after["nats"] != before["nats"]
    assert {name for name in before if before[name] != after[name]} == {"nats"}


def test_a_service_that_does_not_start_is_named_with_its_log(stack: Stack) -> None:
    stack.env["ASSAY_LOG_LEVEL"] = "serve"
    done = stack.run("up")
    assert done.returncode == 1
    assert "does not start." in done.stderr
    assert "cannot serve today" in done.stderr
    assert stack.status() == {}


def test_a_service_that_never_serves_is_named_and_the_rest_runs_on(stack: Stack) -> None:
    stack.env |= {"ASSAY_LOG_LEVEL": "lineage", "ASSAY_UP_SECONDS": "8"}
    done = stack.run("up")
    assert done.returncode == 1
    assert done.stderr.startswith("lineage did not answer within 8 seconds.\n")
    states = {name: line["state"] for name, line in stack.status().items()}
    assert {name for name, state in states.items() if state != "running"} == {"lineage"}
    assert stack.run("status").returncode == 1
    assert (stack.path / "endpoints.json").exists()
    again = stack.run("up")
    assert again.returncode == 1
    assert "already, but lineage is starting." in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_leaves_nothing_behind(
    stack: Stack, number: signal.Signals
) -> None:
    starting = subprocess.Popen(
        stack.command("up"), env=stack.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until((stack.path / "run" / "processes.json").exists)
    starting.send_signal(number)
    starting.communicate(timeout=30)
    wait_until(lambda: stack.run("status").returncode == 1)
    written = json.loads((stack.path / "run" / "processes.json").read_text())
    wait_until(lambda: not [each["pid"] for each in written if runs(each["pid"])])
    assert stack.up()


def test_down_stops_a_start_that_is_on_its_way(stack: Stack) -> None:
    starting = subprocess.Popen(
        stack.command("up"), env=stack.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until((stack.path / "run" / "processes.json").exists)
    assert stack.run("down").returncode == 0
    _, errors = starting.communicate(timeout=30)
    assert starting.returncode == 1
    assert b"Assay was stopped before it was up." in errors
    assert stack.status() == {}


def test_a_failed_preparation_is_named_with_its_log(stack: Stack) -> None:
    stack.env["ASSAY_LOG_LEVEL"] = "prepare"
    done = stack.run("up", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert said["error"] == "audit-prepare failed."
    assert "cannot prepare today" in said["tail"]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _leaves(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    return [str(value)]


async def _publish(endpoints: dict[str, str], secrets: dict[str, Json], subject: str) -> None:
    client = await connect(endpoints, secrets, "setup")
    config = {"name": "ASSAY", "subjects": ["assay.v1.>"], "storage": "file"}
    await client.request("$JS.API.STREAM.CREATE.ASSAY", json.dumps(config).encode())
    await client.request(subject, b"event")
    await client.close()


async def _last_sequence(endpoints: dict[str, str], secrets: dict[str, Json]) -> int:
    client = await connect(endpoints, secrets, "setup")
    answer = await client.request("$JS.API.STREAM.INFO.ASSAY")
    await client.close()
    return int(json.loads(answer.data)["state"]["last_seq"])
