"""The keys that say who speaks: the local issuer signs people's tokens, each service its own."""

from pathlib import Path

from assay_serve.embedded import files
from assay_serve.embedded.contexts import SERVICES
from assay_trust import jwks, keys

ISSUER = "assay-local"
TRUSTED = "jwks.json"


def make(folder: Path) -> None:
    """Make the keys that are missing in `folder`, and list the public halves of all."""
    names = {ISSUER: folder / "issuer.pem"}
    names |= {f"services/{service}": service_key(folder, service) for service in SERVICES}
    trusted = {kid: _key(path).public for kid, path in names.items()}
    path = folder / TRUSTED
    before = path.read_bytes() if path.exists() else b""
    others = jwks.parse_jwks(before) if before else {}
    listed = jwks.write_jwks({**others, **trusted})
    if listed != before:
        files.write(path, listed, files.READABLE)


def service_key(folder: Path, service: str) -> Path:
    """Return where the private key of `service` lies."""
    return folder / f"{service}.pem"


def _key(path: Path) -> keys.KeyPair:
    if path.exists():
        path.chmod(files.PRIVATE)
        return keys.from_pem(path.read_bytes())
    pair = keys.generate()
    files.write(path, keys.to_pem(pair.private))
    return pair
