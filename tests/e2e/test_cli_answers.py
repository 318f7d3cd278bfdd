"""What commands print: JSON with the names of the protos, refusals with the next step."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Assay


@pytest.fixture(scope="module")
def listed(assay: Assay, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("listed") / "weights.bin"
    file.write_bytes(b"weights")
    for accuracy in ("0.7", "0.8", "0.9"):
        assay.run("register", "listed", str(file), "--metric", f"accuracy={accuracy}")
    assay.run("alias", "set", "listed", "champion", "3")
    return "listed"


def test_lists_are_the_response_with_all_pages(assay: Assay, listed: str) -> None:
    versions = assay.json("versions", listed)
    rows = versions["model_versions"]
    assert isinstance(rows, list)
    assert [row["number"] for row in rows] == ["3", "2", "1"]
    assert rows[0]["aliases"] == ["champion"]
    assert rows[0]["name"] == f"namespaces/default/models/{listed}/versions/3"
    assert versions["consistency_token"]
    good = assay.json("versions", listed, "--filter", "metrics.accuracy >= 0.8")["model_versions"]
    assert isinstance(good, list)
    assert len(good) == 2
    few = assay.json("versions", listed, "--limit", "1")
    assert few["next_page_token"]
    models = assay.json("models")["models"]
    assert isinstance(models, list)
    assert f"namespaces/default/models/{listed}" in {model["name"] for model in models}


def test_tables_are_for_people(assay: Assay, listed: str) -> None:
    table = assay.run("versions", listed).stdout.splitlines()
    assert table[0].split()[:2] == ["N", "STATE"]
    assert "champion" in table[1]
    assert "accuracy=0.9" in table[1]
    shown = assay.run("show", f"{listed}@champion").stdout
    assert f"namespaces/default/models/{listed}/versions/3" in shown
    assert "owner" in shown


def test_a_moved_alias_says_what_it_is_now(assay: Assay, listed: str) -> None:
    done = assay.run("alias", "set", listed, "challenger", "2", "--expect", "0")
    assert done.stdout == "listed@challenger is listed/2 now.\n"
    refusal = assay.refused("alias", "set", listed, "challenger", "1", "--expect", "3")
    assert refusal["reason"] == "HOLDER_MISMATCH"
    assert assay.run("alias", "unset", listed, "challenger").stdout == (
        "listed@challenger is empty now.\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("show", "nothing/1"), "NOT_FOUND", "NOT_FOUND"),
        (("show", "listed/9"), "NOT_FOUND", "NOT_FOUND"),
        (("show", "listed"), "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        (("versions", "listed", "--filter", "colour = 'red'"), "INVALID_ARGUMENT", "BAD_FILTER"),
        (
            ("versions", "listed", "--filter", "1 = 1; DROP TABLE x"),
            "INVALID_ARGUMENT",
            "BAD_FILTER",
        ),
        (("alias", "set", "listed", "a@b", "1"), "INVALID_ARGUMENT", "MALFORMED"),
        (("alias", "set", "listed", "x", "99"), "NOT_FOUND", "NOT_FOUND"),
        (("approval", "show", "zzz"), "NOT_FOUND", "NOT_FOUND"),
        (("approval", "request", "listed/1"), "INVALID_ARGUMENT", "REQUIRED"),
        (
            ("approval", "request", "listed/1", "--stage", "s"),
            "FAILED_PRECONDITION",
            "NOT_GOVERNED",
        ),
        (
            ("audit", "who-approved", "listed", "--stage", "s", "--at", "2999-01-01"),
            "INVALID_ARGUMENT",
            "BAD_MOMENT",
        ),
        (("lineage", "up", "nothing/1"), "NOT_FOUND", "NOT_FOUND"),
        (("models", "--namespace", "Bad Name"), "INVALID_ARGUMENT", "MALFORMED"),
    ],
)
@pytest.mark.usefixtures("listed")
def test_a_refusal_has_its_code_and_reason(
    assay: Assay, words: tuple[str, ...], code: str, reason: str
) -> None:
    refusal = assay.refused(*words)
    assert (refusal["code"], refusal["reason"]) == (code, reason), refusal
    assert str(refusal["message"]).endswith(".")


def test_a_foreign_token_is_refused(assay: Assay) -> None:
    done = assay.run("models", status=1, ASSAY_TOKEN="eyJhbGciOiJub25lIn0.e30.")
    assert done.stderr.startswith("Error: ")
    assert "Next: assay login --as USER" in done.stderr


def test_a_login_acts_until_the_logout(assay: Assay, listed: str, tmp_path: Path) -> None:
    del tmp_path
    principal = assay.json("login", "--as", "lee")["principal"]
    try:
        moved = assay.json("alias", "set", listed, "by-lee", "1")["alias"]
        assert isinstance(moved, dict)
        assert moved["actor"] == principal
    finally:
        assay.run("logout")
    moved = assay.json("alias", "set", listed, "by-lee", "2")["alias"]
    assert isinstance(moved, dict)
    assert moved["actor"] != principal
    entries = assay.json("audit", "log", "--actor", "lee")["entries"]
    assert isinstance(entries, list)
    types = [entry["type"].rpartition(".")[2] for entry in entries]
    assert types == ["PrincipalCreated", "AliasSet"]


def test_the_log_is_asked_by_resource_and_time(assay: Assay, listed: str) -> None:
    resource = f"namespaces/default/models/{listed}"
    entries = assay.json("audit", "log", "--resource", resource)["entries"]
    assert isinstance(entries, list)
    assert entries
    assert all(entry["resource"].startswith(resource) for entry in entries)
    since = str(entries[-1]["time"])
    later = assay.json("audit", "log", "--resource", resource, "--since", since)["entries"]
    assert isinstance(later, list)
    assert 1 <= len(later) < len(entries)


def test_a_key_is_made_once_and_never_overwritten(
    assay: Assay, signers: tuple[str, str, str]
) -> None:
    ann, _, _ = signers
    path = assay.data / "keys" / f"{ann}.json"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert assay.refused("key", "enrol", "--as", ann)["reason"] == "ALREADY_EXISTS"
    assert path.read_bytes() == before
    weak = assay.run("key", "enrol", "--as", "weak", status=1, ASSAY_PASSPHRASE="short")
    assert "Error:" in weak.stderr
    assert not (assay.data / "keys" / "weak.json").exists()
    principals = assay.json("key", "list")["principals"]
    assert isinstance(principals, list)
    assert "Ann Author" in {principal["printed_name"] for principal in principals}


def test_status_says_that_all_is_well(assay: Assay) -> None:
    assert assay.json("status")["healthy"] is True
