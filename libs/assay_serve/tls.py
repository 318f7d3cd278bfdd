"""TLS between the services: this one's certificate, and what the certificate of a caller allows."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events.decider import Forbidden
from assay_serve import spiffe
from assay_serve.identity import Unauthenticated
from assay_serve.settings import TlsFiles

_LOOK_SECONDS = 1.0
_SERVICE = ActorKind.ACTOR_KIND_SERVICE  # looked up once, not at each call

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class BadCertificate(Exception):
    """The files of the certificate do not belong together, or to this service."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, and the CA that everybody's certificate comes from; all PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes


class Certificate:
    """The certificate of this service; read again when its files change, so it may be renewed."""

    def __init__(self, files: TlsFiles, deployment: str, service: str) -> None:
        self._files = files
        self._uri = spiffe.uri(deployment, service)
        self._lock = threading.Lock()  # gRPC asks from threads of its own
        self._look_at = 0.0
        self._stamp: object = None
        self._pair = self._load()

    def pair(self) -> Pair:
        """Return the certificate in force; one that cannot be read leaves the old one so."""
        with self._lock:
            now = time.monotonic()
            if now >= self._look_at:
                self._look_at = now + _LOOK_SECONDS
                self._look_again()
            return self._pair

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return credentials that ask each new connection for a certificate, and resume none."""

        def in_force() -> grpc.ServerCertificateConfiguration:
            pair = self.pair()
            return grpc.ssl_server_certificate_configuration(
                [(pair.key, pair.certificate)], pair.authority
            )

        return grpc.dynamic_ssl_server_credentials(
            in_force(), in_force, require_client_authentication=True
        )

    def _look_again(self) -> None:
        try:
            if _stamp(self._files) != self._stamp:
                self._pair = self._load()
                log.info("tls.renewed", certificate=str(self._files.certificate))
        except (OSError, BadCertificate) as error:
            log.warning(
                "tls.unreadable", certificate=str(self._files.certificate), cause=str(error)
            )

    def _load(self) -> Pair:
        stamp, files = _stamp(self._files), self._files
        pair = Pair(
            files.certificate.read_bytes(), files.key.read_bytes(), files.authority.read_bytes()
        )
        _check(pair, self._uri)
        self._stamp = stamp
        return pair


def channel_credentials(pair: Pair) -> grpc.ChannelCredentials:
    """Return credentials of a client that shows the certificate of `pair`."""
    return grpc.ssl_channel_credentials(pair.authority, pair.key, pair.certificate)


def check_caller(
    actor: Actor,
    connection: Mapping[str, Iterable[bytes]],
    deployment: str,
    method: str,
    *,
    is_internal: bool,
) -> None:
    """Let services in by the internal port, each by its certificate, and all others by the public.

    Internal methods are served on the internal port only.
    """
    is_service = actor.kind == _SERVICE
    if _first(connection, "transport_security_type") != "ssl":
        if is_service:
            raise _forbidden("Call the internal port as a service.", method)
        if is_internal:
            raise _forbidden(f"Leave {method} to Assay's own services.", method)
        return
    if _first(connection, "ssl_tls_version") != "TLSv1.3":
        raise Unauthenticated("Connect to the internal port with TLS 1.3.")
    if not is_service:
        raise _forbidden("Leave the internal port to Assay's own services.", method)
    service = actor.principal.removeprefix("services/")
    if _first(connection, "peer_spiffe_id") != spiffe.uri(deployment, service):
        raise _forbidden("Show the certificate of the service that the token names.", method)
    if time.time() >= _expires_at(_first(connection, "x509_pem_cert")):
        raise Unauthenticated("Connect again with a certificate that has not expired.")


def _first(connection: Mapping[str, Iterable[bytes]], name: str) -> str:
    return next(iter(connection.get(name, ())), b"").decode()


@lru_cache(maxsize=256)
def _expires_at(pem: str) -> float:
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()


def _forbidden(message: str, method: str) -> Forbidden:
    return Forbidden(Reason.REASON_NOT_ALLOWED, message, method=method)


def _check(pair: Pair, uri: str) -> None:
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        key = load_pem_private_key(pair.key, password=None)
        x509.load_pem_x509_certificate(pair.authority)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        names = "ASSAY_TLS_CERTIFICATE, ASSAY_TLS_KEY and ASSAY_TLS_CA"
        raise BadCertificate(f"Set {names} to PEM files that can be read.") from error
    if key.public_key() != certificate.public_key():
        raise BadCertificate("Set ASSAY_TLS_KEY to the key of the certificate.")
    if uri not in found.get_values_for_type(x509.UniformResourceIdentifier):
        raise BadCertificate(f"Set ASSAY_TLS_CERTIFICATE to the certificate of {uri}.")


def _stamp(files: TlsFiles) -> object:
    found = [path.stat() for path in (files.certificate, files.key, files.authority)]
    return [(each.st_mtime_ns, each.st_size, each.st_ino) for each in found]
