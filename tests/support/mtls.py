"""Certificates of services as `assay up` makes them, and both ends of a connection with them."""

from collections.abc import Sequence
from pathlib import Path

import grpc

from assay_serve import spiffe, tls
from assay_serve.embedded import certificates, ports
from assay_serve.settings import TlsFiles
from tests.support.scribe import DEPLOYMENT

# A channel of its own, which soon tries again: no other test shares its connection.
OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)


def environ(folder: Path, service: str, deployment: str = DEPLOYMENT) -> dict[str, str]:
    """Return what a service is told of its internal port; `folder` holds the identities."""
    certificates.renew(folder / "tls", deployment)
    told = certificates.environ(folder / "tls", service)
    return {"ASSAY_INTERNAL_LISTEN": f"127.0.0.1:{ports.free(set())}", **told}


def certificate(folder: Path, service: str, deployment: str = DEPLOYMENT) -> tls.Certificate:
    """Return the certificate of a service, made where it is missing."""
    told = environ(folder, service, deployment)
    names = ("ASSAY_TLS_CERTIFICATE", "ASSAY_TLS_KEY", "ASSAY_TLS_CA")
    return tls.Certificate(TlsFiles(*(Path(told[name]) for name in names)), deployment, service)


def server_credentials(folder: Path, service: str) -> grpc.ServerCredentials:
    """Return what a small server in the place of `service` serves with."""
    return certificate(folder, service).server_credentials()


def client(
    folder: Path, service: str, peer: str, deployment: str = DEPLOYMENT
) -> tuple[grpc.ChannelCredentials, Sequence[tuple[str, str | int]]]:
    """Return the credentials and options of a channel from `service` to `peer`."""
    pair = certificate(folder, service, deployment).pair()
    authority = ("grpc.default_authority", spiffe.host(deployment, peer))
    return tls.channel_credentials(pair), (authority, *OPTIONS)
