"""What every service's `main` runs: `serve`, `prepare`, `rebuild` or `check`."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn

import asyncpg
import uvloop

from assay_events.errors import StreamCorrupt, Unavailable
from assay_events.projection import Projection
from assay_serve import upkeep
from assay_serve.annotations import UnknownAnnotation
from assay_serve.runtime import Service
from assay_serve.serving import serve
from assay_serve.settings import BadSettings, Settings
from assay_serve.telemetry import log_as_json

_UPKEEP: Mapping[str, Callable[[Projection, Settings], Awaitable[int]]] = {
    "prepare": upkeep.prepare,
    "rebuild": upkeep.rebuild,
    "check": upkeep.check,
}
_FAILED, _MISUSED = 1, 2


def run(service: Service) -> NoReturn:
    """Do what the command line asks of `service`, and exit."""
    sys.exit(main(service, sys.argv[1:], os.environ))


def main(service: Service, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what `arguments` ask; return the exit code: 0 done, 1 failed, 2 asked wrongly."""
    verb = arguments[0] if len(arguments) == 1 else ""
    if verb != "serve" and verb not in _UPKEEP:
        sys.stderr.write(f"Use assay-{service.name} serve | prepare | rebuild | check.\n")
        return _MISUSED
    log_as_json(service.name, environ.get("ASSAY_LOG_LEVEL", ""))
    try:
        return uvloop.run(_do(service, verb, Settings.from_environ(environ)))
    except (BadSettings, UnknownAnnotation) as error:
        sys.stderr.write(f"{error}\n")
        return _MISUSED
    except (Unavailable, StreamCorrupt, OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED


async def _do(service: Service, verb: str, settings: Settings) -> int:
    if settings.service != service.name:
        raise BadSettings(f"Set ASSAY_SERVICE to {service.name}.")
    if verb == "serve":
        await serve(service, settings)
        return 0
    if service.projection is None:
        return 0
    return await _UPKEEP[verb](service.projection, settings)
