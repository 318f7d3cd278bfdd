"""Whom a connection lets in, and which files make a certificate."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events.decider import Forbidden
from assay_serve import spiffe, tls
from assay_serve.embedded import certificates
from assay_serve.identity import Unauthenticated
from assay_serve.settings import TlsFiles

DEPLOYMENT = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
PERSON = Actor(principal=f"principals/{DEPLOYMENT}", kind=ActorKind.ACTOR_KIND_HUMAN)
SERVICE = Actor(principal="services/approval", kind=ActorKind.ACTOR_KIND_SERVICE)
PLAIN = {"transport_security_type": [b"insecure"], "security_level": [b"TSI_SECURITY_NONE"]}
NOW = datetime.now(UTC)


def connection(
    service: str = "approval", version: bytes = b"TLSv1.3", hours: int = 24
) -> Mapping[str, list[bytes]]:
    """Return what gRPC says of a connection to the internal port."""
    authority = certificates.new_authority(DEPLOYMENT, NOW)
    issued = certificates.issue(
        authority, DEPLOYMENT, service, NOW - timedelta(hours=24 - hours)
    ).certificate
    return {
        "transport_security_type": [b"ssl"],
        "ssl_tls_version": [version],
        "peer_spiffe_id": [spiffe.uri(DEPLOYMENT, service).encode()],
        "x509_pem_cert": [issued.public_bytes(Encoding.PEM)],
    }


def check(actor: Actor, how: Mapping[str, list[bytes]], *, is_internal: bool = False) -> None:
    tls.check_caller(actor, how, DEPLOYMENT, "/a.B/C", is_internal=is_internal)


def test_people_come_by_the_public_port_and_services_by_the_internal_one() -> None:
    check(PERSON, PLAIN)
    check(SERVICE, connection())
    check(SERVICE, connection(), is_internal=True)


@pytest.mark.parametrize(
    ("actor", "how", "is_internal"),
    [
        (SERVICE, PLAIN, False),
        (SERVICE, PLAIN, True),
        (SERVICE, {}, False),
        (PERSON, PLAIN, True),
        (PERSON, connection(), False),
        (SERVICE, connection("metadata"), False),
        (SERVICE, {**connection(), "peer_spiffe_id": []}, False),
        (SERVICE, {**connection(), "peer_spiffe_id": [b"spiffe://assay/other/approval"]}, False),
    ],
)
def test_nobody_else_gets_in(
    actor: Actor, how: Mapping[str, list[bytes]], *, is_internal: bool
) -> None:
    with pytest.raises(Forbidden):
        check(actor, how, is_internal=is_internal)


def test_tls_before_1_3_is_refused() -> None:
    with pytest.raises(Unauthenticated, match=r"TLS 1\.3"):
        check(SERVICE, connection(version=b"TLSv1.2"))


def test_a_connection_does_not_outlive_the_certificate_it_was_made_with() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        check(SERVICE, connection(hours=0))


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    certificates.renew(tmp_path / "tls", DEPLOYMENT)
    return files_of(tmp_path / "tls", "metadata")


def files_of(folder: Path, service: str) -> TlsFiles:
    told = certificates.environ(folder, service)
    names = ("ASSAY_TLS_CERTIFICATE", "ASSAY_TLS_KEY", "ASSAY_TLS_CA")
    return TlsFiles(*(Path(told[name]) for name in names))


def test_the_certificate_of_another_service_is_refused_at_start(files: TlsFiles) -> None:
    assert tls.Certificate(files, DEPLOYMENT, "metadata").pair().key == files.key.read_bytes()
    for deployment, service in ((DEPLOYMENT, "audit"), ("other", "metadata")):
        with pytest.raises(tls.BadCertificate, match=f"{deployment}/{service}"):
            tls.Certificate(files, deployment, service)


def test_a_key_of_another_certificate_is_refused_at_start(files: TlsFiles) -> None:
    other = files_of(files.key.parents[1], "audit").key
    mixed = TlsFiles(files.certificate, other, files.authority)
    with pytest.raises(tls.BadCertificate, match="ASSAY_TLS_KEY"):
        tls.Certificate(mixed, DEPLOYMENT, "metadata")


@pytest.mark.parametrize("name", ["certificate", "key", "authority"])
def test_a_file_that_is_no_pem_is_refused_at_start(files: TlsFiles, name: str) -> None:
    path: Path = getattr(files, name)
    path.write_text("x")
    with pytest.raises(tls.BadCertificate, match="PEM"):
        tls.Certificate(files, DEPLOYMENT, "metadata")


def test_a_renewed_certificate_is_read_and_a_half_written_one_is_not(
    files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.0)
    certificate = tls.Certificate(files, DEPLOYMENT, "metadata")
    before = certificate.pair()
    assert certificate.pair() is before
    other = files_of(files.key.parents[1], "audit").key.read_bytes()
    files.key.write_bytes(other)  # the certificate that fits it is not there yet
    assert certificate.pair() is before
    files.certificate.unlink()
    assert certificate.pair() is before
    assert certificates.renew(files.key.parents[1], DEPLOYMENT) == ["metadata"]
    assert certificate.pair().certificate == files.certificate.read_bytes()
    assert certificate.pair().key == files.key.read_bytes() != before.key


def test_no_key_is_shown(files: TlsFiles) -> None:
    assert "PRIVATE" not in repr(tls.Certificate(files, DEPLOYMENT, "metadata").pair())


def test_openssl_takes_the_certificates_too(files: TlsFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(files.authority)
    context.load_cert_chain(files.certificate, files.key)
    assert len(context.get_ca_certs()) == 1
