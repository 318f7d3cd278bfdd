"""What people type wrong about approvals is explained, with the next command to try."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from assay.credentials import LocalIssuer
from assay.folder import DataFolder
from tests.e2e.conftest import Assay

pytestmark = pytest.mark.timeout(600)  # the first test of a session waits for the founding


@pytest.mark.parametrize(
    ("line", "code", "following"),
    [
        (("approval", "show", ""), "INVALID_ARGUMENT", "assay approval show --help"),
        (("approval", "show", "\u202e"), "NOT_FOUND", "assay inbox"),
        (("approval", "request", "m/1", "--stage", ""), "INVALID_ARGUMENT", "assay approval"),
        (("approval", "sign", "zzz", "--as", "bob"), "NOT_FOUND", "assay inbox --as bob"),
        (("policy", "explain", "zzz"), "NOT_FOUND", "assay inbox"),
        (("policy", "show", "nope"), "NOT_FOUND", "assay policy list"),
        (("policy", "apply", "no-such.yaml"), "FAILED_PRECONDITION", "assay policy apply --help"),
        (("proposal", "endorse", "nope", "--as", "bob"), "NOT_FOUND", "assay proposal list"),
        (("role", "grant", "bob", "king"), "INVALID_ARGUMENT", "assay role grant --help"),
        (("key", "enrol"), "FAILED_PRECONDITION", "assay key enrol --as USER"),
        (("key", "enrol", "--as", "x\ny"), "INVALID_ARGUMENT", "assay key enrol --help"),
    ],
)
def test_a_wrong_line_is_explained(
    assay: Assay, line: tuple[str, ...], code: str, following: str
) -> None:
    refusal = assay.refused(*line)
    assert refusal["code"] == code
    assert str(refusal["message"]).endswith(".")
    assert str(refusal["next"]).startswith(following)


def test_whoever_has_only_a_token_becomes_known_without_a_login(assay: Assay) -> None:
    who = str(uuid4())
    token = LocalIssuer(DataFolder(assay.data), who)()
    line = ("principal", "create", "--name", "Tess Token", "--json")
    known = json.loads(assay.run(*line, ASSAY_TOKEN=token).stdout)["principal"]
    assert known["name"] == f"principals/{who}"
    assert known["login"] == ""
    bare = assay.run("key", "enrol", "--json", ASSAY_TOKEN=token, status=1)
    assert "--as USER" in json.loads(bare.stdout)["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff\x00\xfe", b"- 1", b"name: {a: b}\n"])
def test_a_policy_file_that_is_none_is_explained(
    assay: Assay, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(content)
    for verb in ("apply", "diff", "simulate"):
        assert "policy.yaml" in str(assay.refused("policy", verb, str(file))["message"])


def test_where_nobody_can_type_a_passphrase_is_asked_for(assay: Assay) -> None:
    told = assay.run("key", "enrol", "--as", "mute", status=1, ASSAY_PASSPHRASE="").stderr
    assert "Give --passphrase-file or ASSAY_PASSPHRASE" in told
