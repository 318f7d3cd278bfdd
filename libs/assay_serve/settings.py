"""What the environment tells a service: addresses, credentials, whose deployment this is."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from assay_serve.oidc_settings import BadIssuer, OidcIssuer, parse_issuers


class BadSettings(Exception):
    """The environment lacks a setting or gives one that cannot be read; the text says which."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where the bytes of artifacts lie."""

    url: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate of a service, its key and the certificate of the CA lie."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a service is told; read once, at start."""

    service: str
    listen: str
    internal_listen: str
    nats_url: str
    nats_user: str
    nats_password: str = field(repr=False)
    postgres_url: str = field(repr=False)
    postgres_owner_url: str = field(repr=False)
    deployment: str
    owner: str
    jwks: Path
    service_key: Path
    tls: TlsFiles
    peers: Mapping[str, str] = field(default_factory=dict)
    objects: ObjectStore = field(default_factory=ObjectStore)
    telemetry_endpoint: str = ""
    passkey_origin: str = ""
    oidc_issuers: tuple[OidcIssuer, ...] = ()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings in `environ`; raise BadSettings naming the variable that is wrong."""
        postgres_url = _given(environ, "ASSAY_POSTGRES_URL")
        return cls(
            service=_given(environ, "ASSAY_SERVICE"),
            listen=_address(environ, "ASSAY_LISTEN"),
            internal_listen=_address(environ, "ASSAY_INTERNAL_LISTEN"),
            nats_url=_given(environ, "ASSAY_NATS_URL"),
            nats_user=_given(environ, "ASSAY_NATS_USER"),
            nats_password=_given(environ, "ASSAY_NATS_PASSWORD"),
            postgres_url=postgres_url,
            postgres_owner_url=environ.get("ASSAY_POSTGRES_OWNER_URL", "") or postgres_url,
            deployment=_uuid(environ, "ASSAY_DEPLOYMENT"),
            owner=_uuid(environ, "ASSAY_OWNER"),
            jwks=Path(_given(environ, "ASSAY_JWKS")),
            service_key=Path(_given(environ, "ASSAY_SERVICE_KEY")),
            tls=TlsFiles(
                certificate=Path(_given(environ, "ASSAY_TLS_CERTIFICATE")),
                key=Path(_given(environ, "ASSAY_TLS_KEY")),
                authority=Path(_given(environ, "ASSAY_TLS_CA")),
            ),
            peers=_peers(environ, "ASSAY_PEERS"),
            objects=_objects(environ),
            telemetry_endpoint=environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            passkey_origin=environ.get("ASSAY_PASSKEY_ORIGIN", ""),
            oidc_issuers=_issuers(environ, "ASSAY_OIDC_ISSUERS"),
        )


def _given(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise BadSettings(f"Set the environment variable {name}.")
    return value


def _address(environ: Mapping[str, str], name: str) -> str:
    value = _given(environ, name)
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 2**16:
        raise BadSettings(f"Set {name} to an address as in 127.0.0.1:7000.")
    return value


def _uuid(environ: Mapping[str, str], name: str) -> str:
    try:
        return str(UUID(_given(environ, name)))
    except ValueError as error:
        raise BadSettings(f"Set {name} to a UUID.") from error


def _peers(environ: Mapping[str, str], name: str) -> Mapping[str, str]:
    try:
        peers: object = json.loads(environ.get(name, "") or "{}")
    except ValueError as error:
        raise BadSettings(f"Set {name} to a JSON object of addresses by service.") from error
    if not isinstance(peers, dict) or not all(isinstance(at, str) for at in peers.values()):
        raise BadSettings(f"Set {name} to a JSON object of addresses by service.")
    return {str(service): str(address) for service, address in peers.items()}


def _issuers(environ: Mapping[str, str], name: str) -> tuple[OidcIssuer, ...]:
    try:
        return parse_issuers(environ.get(name, ""))
    except BadIssuer as error:
        raise BadSettings(f"Set {name} to {error}") from error


def _objects(environ: Mapping[str, str]) -> ObjectStore:
    return ObjectStore(
        url=environ.get("ASSAY_S3_URL", ""),
        access_key=environ.get("ASSAY_S3_ACCESS_KEY", ""),
        secret_key=environ.get("ASSAY_S3_SECRET_KEY", ""),
        bucket=environ.get("ASSAY_S3_BUCKET", ""),
    )
