"""The certificates by which services know each other: from a CA of the deployment, for one day.

`python -m assay_serve.embedded.certificates FOLDER DEPLOYMENT` renews them until it is stopped, for
containers; `assay up` does so itself.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from assay_serve import spiffe
from assay_serve.embedded import files
from assay_serve.embedded.contexts import SERVICES

CERTIFICATE, KEY, AUTHORITY = "certificate.pem", "key.pem", "ca.pem"
LOOK_SECONDS = 10.0
_LIFETIME, _CA_LIFETIME = timedelta(hours=24), timedelta(days=3650)
_SKEW = timedelta(minutes=5)  # how far the clocks of two machines may be apart
_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def renew(folder: Path, deployment: str, now: datetime | None = None) -> list[str]:
    """Make what is missing in `folder` or has lived half its life; return whose it was."""
    now = now or datetime.now(UTC)
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = load(folder / "ca")
    renewed = []
    if authority is None or not _is_young(authority, now):
        authority = new_authority(deployment, now)
        _save(folder / "ca", authority, authority)
        renewed.append("ca")
    for service in SERVICES:
        kept = load(folder / service)
        if kept is None or not _is_young(kept, now) or not _is_of(kept, authority):
            _save(folder / service, issue(authority, deployment, service, now), authority)
            renewed.append(service)
    return renewed


def environ(folder: Path, service: str) -> dict[str, str]:
    """Return what `service` is told of the certificates in `folder`."""
    return {
        "ASSAY_TLS_CERTIFICATE": str(folder / service / CERTIFICATE),
        "ASSAY_TLS_KEY": str(folder / service / KEY),
        "ASSAY_TLS_CA": str(folder / service / AUTHORITY),
    }


def new_authority(deployment: str, now: datetime) -> Issued:
    """Return a new CA, whose certificates are good for this deployment only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Assay {deployment}")])
    builder = _builder(name, name, key, key, now, _CA_LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issue(
    authority: Issued, deployment: str, service: str, now: datetime, life: timedelta = _LIFETIME
) -> Issued:
    """Return a new certificate of `service`, to serve with and to call with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)])
    names = [
        x509.UniformResourceIdentifier(spiffe.uri(deployment, service)),
        x509.DNSName(spiffe.host(deployment, service)),
    ]
    issuer = authority.certificate.subject
    builder = _builder(name, issuer, key, authority.key, now, life)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(_USAGES), critical=False)
    return Issued(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuers = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
        .add_extension(own, critical=False)
        .add_extension(issuers, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _is_young(issued: Issued, now: datetime) -> bool:
    """Return whether it is valid and has more of its life before it than behind it."""
    begin, end = issued.certificate.not_valid_before_utc, issued.certificate.not_valid_after_utc
    return begin <= now and now - begin < end - now


def _is_of(issued: Issued, authority: Issued) -> bool:
    try:
        issued.certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, InvalidSignature):
        return False
    return True


def load(folder: Path) -> Issued | None:
    """Return what lies in `folder`, nothing (None) where it is not whole."""
    try:
        (folder / KEY).chmod(files.PRIVATE)
        key = load_pem_private_key((folder / KEY).read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    return Issued(certificate, key) if key.public_key() == certificate.public_key() else None


def _save(folder: Path, issued: Issued, authority: Issued) -> None:
    """Write the certificate last: who reads a key that does not fit it yet reads again."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files.write(folder / AUTHORITY, authority.certificate.public_bytes(Encoding.PEM))
    files.write(folder / KEY, key_pem(issued))
    files.write(folder / CERTIFICATE, issued.certificate.public_bytes(Encoding.PEM))


def key_pem(issued: Issued) -> bytes:
    """Return the private key as PKCS#8 PEM."""
    return issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main(arguments: Iterable[str]) -> int:
    """Renew for ever what `arguments` name; return the exit code where they name nothing."""
    match list(arguments):
        case [folder, deployment]:
            while True:
                for name in renew(Path(folder), deployment):
                    print(f"renewed the certificate of {name}", flush=True)
                time.sleep(LOOK_SECONDS)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
