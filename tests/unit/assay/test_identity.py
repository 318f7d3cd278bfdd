"""Who acts: data folders, logins, stored sessions, minted tokens."""

import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay import credentials
from assay.endpoints import Endpoints
from assay.errors import AssayError, FailedPrecondition, Invalid, Unauthenticated
from assay.folder import DataFolder, write_private
from assay.freshness import Freshness
from assay_trust import keys
from assay_trust.jwks import write_jwks

OWNER = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    pair = keys.generate()
    identity = tmp_path / "identity"
    identity.mkdir()
    (identity / "issuer.pem").write_bytes(keys.to_pem(pair.private))
    (identity / "jwks.json").write_bytes(write_jwks({"issuer-1": pair.public}))
    (tmp_path / "secrets.json").write_text(json.dumps({"owner": OWNER}))
    return DataFolder(tmp_path)


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_TOKEN", raising=False)


def who(folder: DataFolder, *, token: str = "", as_user: str = "") -> str:
    return credentials.principal(credentials.find(folder, token=token, as_user=as_user)())


def test_a_login_keeps_its_principal_even_when_many_ask_at_once(folder: DataFolder) -> None:
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(folder.principal_id, ["ann"] * 32 + ["bob"] * 32))
    assert len(ids) == 2
    assert set(folder.logins().values()) == {"ann", "bob", "owner"}


@pytest.mark.parametrize(
    "login", ["", "a b", "../x", "a/b", "a:b", "..", "a\n", "x" * 101, "e\u0301"]
)
def test_a_login_that_could_not_name_a_file_is_refused(folder: DataFolder, login: str) -> None:
    with pytest.raises(Invalid):
        folder.principal_id(login)
    with pytest.raises(Invalid):
        folder.key_file(login)


def test_the_local_owner_acts_unless_somebody_else_is_named(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = f"principals/{OWNER}"
    ann = f"principals/{folder.principal_id('ann')}"
    assert who(folder) == owner
    assert who(folder, as_user="owner") == owner
    assert who(folder, as_user="ann") == ann
    credentials.log_in(folder, "ann")
    assert who(folder) == ann
    assert who(folder, as_user="owner") == owner
    monkeypatch.setenv("ASSAY_TOKEN", credentials.find(folder, as_user="owner")())
    assert who(folder) == owner
    monkeypatch.delenv("ASSAY_TOKEN")
    assert credentials.log_out(folder)
    assert who(folder) == owner
    assert not credentials.log_out(folder)


def test_a_session_is_private_and_ends(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials.log_in(folder, "ann")
    assert stat.S_IMODE(folder.session.stat().st_mode) == 0o600
    later = time.time() + 13 * 3600
    monkeypatch.setattr("assay.credentials.time.time", lambda: later)
    with pytest.raises(Unauthenticated, match="has ended"):
        who(folder)


def test_a_token_is_minted_once_and_renewed_in_time(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = credentials.LocalIssuer(folder, OWNER)
    first = issuer()
    assert issuer() == first
    later = time.time() + 3400
    monkeypatch.setattr("assay.credentials.time.time", lambda: later)
    assert issuer() != first


def test_without_secrets_somebody_must_log_in(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated):
        credentials.find(DataFolder(tmp_path))


def test_a_folder_without_a_stack_says_so(tmp_path: Path) -> None:
    with pytest.raises(FailedPrecondition) as refusal:
        Endpoints.read(tmp_path)
    assert refusal.value.reason == "NOT_STARTED"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata": "127.0.0.1:1"}', '"x"'])
def test_damaged_endpoints_are_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoints.json").write_text(text)
    with pytest.raises(AssayError):
        Endpoints.read(tmp_path)


def test_a_private_file_is_never_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ann.json"
    write_private(path, b"1", replace=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_private(path, b"2", replace=False)
    assert path.read_bytes() == b"1"
    write_private(path, b"3")
    assert [file.name for file in path.parent.iterdir()] == ["ann.json"]
    assert path.read_bytes() == b"3"


def test_tokens_of_unknown_form_count_as_newest() -> None:
    seen = Freshness()
    for token in ("YXNzYXkxOjEw", "", "YXNzYXkxOjk", "something-else"):
        seen.note(token)
    assert seen.token == "something-else"
