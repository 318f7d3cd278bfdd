"""A source over HTTP: who we are to it, patience with it, bounds on what a hostile one sends."""

import base64
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from assay.mlflow import source as module
from assay.mlflow.faults import Absent, SourceFailed, Unusable
from assay.mlflow.source import Login, Source
from tests.support.http_between import Answer, Ask, Reply, answering

NOBODY = Login()


def ask(answer: Answer, login: Login = NOBODY, path: str = "registered-models/search") -> object:
    """Return what a source that answers so is understood to say."""
    with answering(answer) as url:
        return Source(url, login, first_delay_seconds=0.001).get(path, [("filter", "a b&c")])


def fetch(answer: Answer, size_bytes: int) -> bytes:
    """Return the bytes of a file of such a source."""
    kept = bytearray()

    def restart() -> Callable[[bytes], object]:
        kept.clear()
        return kept.extend

    with answering(answer) as url:
        source = Source(url, NOBODY, first_delay_seconds=0.001)
        source.download("/files/größe 1", [], size_bytes, restart)
    return bytes(kept)


class Noted:
    """Answers the same to whatever is asked, and remembers it."""

    def __init__(self, reply: Reply = Reply()) -> None:  # noqa: B008 - it is frozen
        self.asked = list[Ask]()
        self._reply = reply

    def __call__(self, asked: Ask) -> Reply:
        """Return the one answer."""
        self.asked.append(asked)
        return self._reply


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return what a server on loopback speaks TLS with, and the file of its own certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    own = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    (folder / "own.pem").write_bytes(own.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    return context, folder / "own.pem"


def test_the_question_is_encoded_and_the_answer_is_json() -> None:
    def answer(asked: Ask) -> Reply:
        assert asked.path == "/api/2.0/mlflow/registered-models/search"
        assert asked.query == {"filter": "a b&c"}
        assert "authorization" not in asked.headers
        return Reply(body=b'{"a": [1]}')

    assert ask(answer) == {"a": [1]}


@pytest.mark.parametrize(
    ("login", "header"),
    [
        (Login(token="t0"), "Bearer t0"),
        (Login("ann", "pä:ss"), f"Basic {base64.b64encode('ann:pä:ss'.encode()).decode()}"),
        (Login("ann", "pass", "t0"), "Bearer t0"),
    ],
)
def test_a_login_is_sent(login: Login, header: str) -> None:
    noted = Noted()
    ask(noted, login)
    assert [asked.headers["authorization"] for asked in noted.asked] == [header]


def test_credentials_in_the_address_are_sent_and_never_kept() -> None:
    noted = Noted()
    with answering(noted) as url:
        source = Source(url.replace("http://", "http://ann:s%40crt@"), NOBODY)
        source.get("x")
    (asked,) = noted.asked
    assert asked.headers["authorization"] == f"Basic {base64.b64encode(b'ann:s@crt').decode()}"
    assert "ann" not in source.name + source.base
    assert source.name == f"mlflow:{url}"


@pytest.mark.parametrize(
    "uri",
    ["", "file:///x", "sqlite:///mlflow.db", "databricks", "http://", "http://[::1", "http://h:x",
     "http://h/?a=b", "http://h/#a"],
)  # fmt: skip
def test_what_is_no_address_is_refused(uri: str) -> None:
    with pytest.raises(SourceFailed, match="Give the http or https address"):
        Source(uri, NOBODY)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_source_that_is_away_for_a_moment_is_asked_again(status: int) -> None:
    replies = [Reply(status), Reply(status), Reply(body=b'{"ok": true}')]
    assert ask(lambda _: replies.pop(0)) == {"ok": True}


def test_a_source_that_stays_away_is_given_up() -> None:
    noted = Noted(Reply(503))
    with pytest.raises(SourceFailed, match=r"answers 503.*run it again later") as refusal:
        ask(noted)
    assert len(noted.asked) == 6
    assert refusal.value.reason == "SOURCE_UNAVAILABLE"


def test_a_source_that_is_not_there_is_given_up() -> None:
    with pytest.raises(SourceFailed, match="cannot be read now"):
        Source("http://127.0.0.1:1", NOBODY, first_delay_seconds=0.001).get("x")


def test_a_certificate_is_trusted_only_by_who_knows_its_signer(tmp_path: Path) -> None:
    context, own = certificate(tmp_path)
    with answering(lambda _: Reply(), context) as url:
        with pytest.raises(SourceFailed, match="not trusted over TLS"):
            Source(url, Login(token="t0")).get("x")
        assert Source(url, Login(token="t0"), str(own)).get("x") == {}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(401), r"refuses us \(401\)"),
        (Reply(403), r"refuses us \(403\)"),
        (Reply(404, b"<html>"), "like an MLflow server"),
        (Reply(404, b'{"error_code": "ENDPOINT_NOT_FOUND"}'), "like an MLflow server"),
        (Reply(200, b"<html>"), "like an MLflow server"),
        (Reply(200, b"[]"), "like an MLflow server"),
        (Reply(200, b"[" * 100_000), "like an MLflow server"),
        (Reply(200, b'{"a": ' + b"9" * 10_000 + b"}"), "like an MLflow server"),
        (Reply(200, b"\xff{}"), "like an MLflow server"),
        (Reply(302, b"", {"location": "http://127.0.0.1:1/"}), "like an MLflow server"),
    ],
    ids=["401", "403", "404", "endpoint", "html", "list", "deep", "digits", "bytes", "redirect"],
)
def test_what_is_no_answer_of_mlflow_is_told_in_a_sentence(reply: Reply, words: str) -> None:
    with pytest.raises(SourceFailed, match=words):
        ask(lambda _: reply)


def test_what_the_source_does_not_have_is_absent() -> None:
    with pytest.raises(Absent):
        ask(lambda _: Reply(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}'))


def test_a_refused_question_is_told_without_control_characters() -> None:
    body = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "\\u001b[2Jno"}'
    with pytest.raises(Unusable, match=r"no$") as refusal:
        ask(lambda _: Reply(400, body))
    assert "\x1b" not in refusal.value.message


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(Unusable, match="more than 1000 bytes"):
        ask(lambda _: Reply(body=b'{"a": "' + b"x" * 2000 + b'"}'))


def test_a_file_is_downloaded_whole_after_it_broke_off() -> None:
    replies = [Reply(500), Reply(body=b"ab"), Reply(body=b"abc")]
    assert fetch(lambda _: replies.pop(0), 3) == b"abc"


def test_a_file_that_is_longer_than_its_listing_is_refused() -> None:
    with pytest.raises(Unusable, match="sends more of /files/größe 1 than it lists"):
        fetch(lambda _: Reply(body=b"abcd"), 3)


def test_a_file_that_stays_too_short_is_given_up() -> None:
    with pytest.raises(SourceFailed, match="ended 1 bytes too early"):
        fetch(lambda _: Reply(body=b"ab"), 3)
