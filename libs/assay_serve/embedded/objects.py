"""The S3 server (SeaweedFS), closed on all sides but its S3 port.

Its inner ports ask nobody who they are: by default any program on this machine, or a web page in a
browser, deletes all objects with one plain GET. So their HTTP is off, their gRPC wants a
certificate that is made anew at each start, and volumes want signed tokens.
"""

import datetime as dt
import ipaddress
import secrets
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from assay_serve.embedded import binaries, bucket, files, ports
from assay_serve.embedded.failures import Failed
from assay_serve.embedded.processes import Program, Running

BUCKET = "assay"
REGION = bucket.REGION
PORTS = (
    "s3", "s3.grpc", "s3.master", "s3.master.grpc",
    "s3.volume", "s3.volume.grpc", "s3.filer", "s3.filer.grpc",
)  # fmt: skip
_GRPC_PARTS = ("master", "volume", "filer", "s3", "client")
_JWT_USES = ("signing", "signing.read", "filer_signing", "filer_signing.read")
_FLAGS = (
    "-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.config=identities.json",
    "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-disableHttp",
    "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock",
    "-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=0",
    # One master elects nobody: with an election, the first write waits for five seconds.
    "-master.peers=none", "-volume.preStopSeconds=0",
)  # fmt: skip


def make_keys() -> dict[str, str]:
    """Return new credentials: of the artifact service, and of who makes the bucket."""
    return {
        "access_key": secrets.token_hex(10),
        "secret_key": secrets.token_urlsafe(30),
        "admin_access_key": secrets.token_hex(10),
        "admin_secret_key": secrets.token_urlsafe(30),
        "bucket": BUCKET,
    }


def program(folder: Path, log: Path, port: Mapping[str, int], keys: Mapping[str, str]) -> Program:
    """Return the server on the ports named in PORTS, with its data in `folder`."""
    scratch = folder / "tmp"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_identities(folder, keys)
    flags = [f"-{_flag(name)}={port[name]}" for name in PORTS]
    return Program(
        name="s3",
        argv=(str(binaries.weed()), "-logtostderr=true", "server", *_FLAGS, *flags),
        folder=folder,
        log=log,
        env={"HOME": str(folder), "TMPDIR": str(scratch)},
        orphan_signal=signal.SIGKILL,
        grace_seconds=1.0,  # a stop in good order takes 15 seconds and more, and saves nothing
    )


def write_identities(folder: Path, keys: Mapping[str, str]) -> None:
    """Write who may do what over S3, and keep everybody else out of the other ports."""
    files.write_json(folder / "identities.json", _identities(keys))
    certificate, key = _certificate()
    files.write(folder / "grpc.crt", certificate)
    files.write(folder / "grpc.key", key)
    files.write(folder / "security.toml", _security())


def is_ready(port: int) -> bool:
    """Say whether the S3 port answers."""
    return ports.answers(port)


def make_bucket(port: int, keys: Mapping[str, str], log: Path) -> None:
    """Make the bucket unless it is there, and see that it takes an object."""
    admin = bucket.Admin(keys["admin_access_key"], keys["admin_secret_key"])
    try:
        bucket.make(f"{ports.HOST}:{port}", admin, BUCKET)
    except bucket.NotMade as error:
        raise Failed(str(error), log) from error


def clean(port: Mapping[str, int]) -> None:
    """Remove the sockets that a killed server leaves in /tmp, whatever TMPDIR says."""
    for part in ("master", "volume", "filer", "s3"):
        number = port["s3.grpc" if part == "s3" else f"s3.{part}.grpc"]
        Path(f"/tmp/seaweedfs-{part}-grpc-{number}.sock").unlink(missing_ok=True)  # noqa: S108


@dataclass(frozen=True, slots=True)
class Store:
    """A running S3 server and what the artifact service needs to use it."""

    server: Running
    url: str
    access_key: str
    secret_key: str
    bucket: str


@contextmanager
def running(folder: Path) -> Iterator[Store]:
    """Run a server with its data in `folder`, on free ports, for the length of the block."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port, keys, log = ports.assign(PORTS, {}), make_keys(), folder / "s3.log"
    server = Running(program(folder, log, port, keys), lambda: is_ready(port["s3"]))
    server.start()
    try:
        make_bucket(port["s3"], keys, log)
        yield Store(server, url(port["s3"]), keys["access_key"], keys["secret_key"], keys["bucket"])
    finally:
        server.stop()
        clean(port)


def url(port: int) -> str:
    """Return where the S3 API is."""
    return f"http://{ports.HOST}:{port}"


def _flag(name: str) -> str:
    """Return the option that sets the port `name`: `-volume.port.grpc` for `s3.volume.grpc`."""
    part = name.removeprefix("s3.")
    if part in ("s3", "grpc"):
        return "s3.port" if part == "s3" else "s3.port.grpc"
    return f"{part.removesuffix('.grpc')}.port{'.grpc' if part.endswith('.grpc') else ''}"


def _identities(keys: Mapping[str, str]) -> object:
    def identity(name: str, prefix: str, actions: list[str]) -> object:
        pair = {"accessKey": keys[f"{prefix}access_key"], "secretKey": keys[f"{prefix}secret_key"]}
        return {"name": name, "credentials": [pair], "actions": actions}

    own = [f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "Tagging")]
    return {"identities": [identity("setup", "admin_", ["Admin"]), identity("artifact", "", own)]}


def _security() -> str:
    tokens = "".join(f'[jwt.{use}]\nkey = "{secrets.token_hex(24)}"\n' for use in _JWT_USES)
    parts = "".join(f'[grpc.{part}]\ncert = "grpc.crt"\nkey = "grpc.key"\n' for part in _GRPC_PARTS)
    return f'{tokens}[grpc]\nca = "grpc.crt"\n{parts}'


def _certificate() -> tuple[bytes, bytes]:
    """Return a certificate that signs itself, for both ends of gRPC, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "assay embedded s3")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address(ports.HOST))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM), secret
