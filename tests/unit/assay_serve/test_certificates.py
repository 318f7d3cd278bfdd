"""Certificates are made once, renewed at half their life, and made again where they are damaged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from assay_serve import spiffe
from assay_serve.embedded import certificates
from assay_serve.embedded.contexts import SERVICES

DEPLOYMENT = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Certificates made at NOW."""
    made = certificates.renew(tmp_path / "tls", DEPLOYMENT, NOW)
    assert made == ["ca", *SERVICES]
    return tmp_path / "tls"


def test_young_ones_are_left_alone(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.pem")}
    for later in (timedelta(), HOUR, 11 * HOUR):
        assert certificates.renew(folder, DEPLOYMENT, NOW + later) == []
    assert {path: path.read_bytes() for path in folder.rglob("*.pem")} == before


@pytest.mark.parametrize("hours", [12, 23, 24, 500])
def test_they_are_renewed_when_half_their_life_is_over(folder: Path, hours: int) -> None:
    later = NOW + hours * HOUR
    assert certificates.renew(folder, DEPLOYMENT, later) == list(SERVICES)
    for service in SERVICES:
        issued = certificates.load(folder / service)
        assert issued is not None
        assert issued.certificate.not_valid_after_utc == later + 24 * HOUR
    assert certificates.renew(folder, DEPLOYMENT, later) == []


def test_a_clock_that_was_wrong_is_made_good(folder: Path) -> None:
    assert certificates.renew(folder, DEPLOYMENT, NOW - 48 * HOUR) == ["ca", *SERVICES]


def test_with_a_new_ca_all_are_made_again(folder: Path) -> None:
    (folder / "ca" / certificates.KEY).unlink()
    assert certificates.renew(folder, DEPLOYMENT, NOW) == ["ca", *SERVICES]
    assert certificates.renew(folder, DEPLOYMENT, NOW + 6 * 365 * 24 * HOUR) == ["ca", *SERVICES]


@pytest.mark.parametrize("name", [certificates.KEY, certificates.CERTIFICATE])
@pytest.mark.parametrize("text", [b"", b"-----BEGIN"])
def test_a_damaged_one_is_made_again(folder: Path, name: str, text: bytes) -> None:
    (folder / "audit" / name).write_bytes(text)
    assert certificates.renew(folder, DEPLOYMENT, NOW) == ["audit"]


def test_a_certificate_without_its_key_is_made_again(folder: Path) -> None:
    other = (folder / "lineage" / certificates.KEY).read_bytes()
    (folder / "audit" / certificates.KEY).write_bytes(other)
    assert certificates.renew(folder, DEPLOYMENT, NOW) == ["audit"]


def test_only_the_owner_may_read_them(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_a_certificate_says_who_where_and_for_what(folder: Path) -> None:
    issued = certificates.load(folder / "metadata")
    assert issued is not None
    extensions = issued.certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == [f"spiffe://assay/{DEPLOYMENT}/metadata"]
    assert names.get_values_for_type(x509.DNSName) == [f"metadata.{DEPLOYMENT}.assay"]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {usage._name for usage in usages} == {"serverAuth", "clientAuth"}
    assert isinstance(issued.certificate.public_key(), ec.EllipticCurvePublicKey)


def test_a_strict_verifier_takes_them_as_server_and_as_client(folder: Path) -> None:
    authority, issued = certificates.load(folder / "ca"), certificates.load(folder / "audit")
    assert authority is not None
    assert issued is not None
    policy = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    host = x509.DNSName(spiffe.host(DEPLOYMENT, "audit"))
    assert policy.build_server_verifier(host).verify(issued.certificate, [])
    assert policy.build_client_verifier().verify(issued.certificate, []).chain
    other = x509.DNSName(spiffe.host(DEPLOYMENT, "metadata"))
    with pytest.raises(VerificationError):
        policy.build_server_verifier(other).verify(issued.certificate, [])


def test_each_service_is_given_its_own_files_only(folder: Path) -> None:
    told = certificates.environ(folder, "audit")
    assert {Path(path).parent for path in told.values()} == {folder / "audit"}
    assert all(Path(path).is_file() for path in told.values())


def test_what_to_name_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert certificates.main([]) == 2
    assert "FOLDER DEPLOYMENT" in capsys.readouterr().err
