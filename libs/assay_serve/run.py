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
from assay_serve.tls import BadCertificate
from assay_serve.upkeep import Answer

_UPKEEP: Mapping[str, Callable[[Projection, Settings, Answer], Awaitable[int]]] = {
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
    words = [word for word in arguments if word != "--json"]
    verb = words[0] if len(words) == 1 else ""
    if verb != "serve" and verb not in _UPKEEP:
        sys.stderr.write(f"Use assay-{service.name} serve | prepare | rebuild | check [--json].\n")
        return _MISUSED
    log_as_json(service.name, environ.get("ASSAY_LOG_LEVEL", ""))
    try:
        answer_as = Answer.JSON if "--json" in arguments else Answer.TEXT
        return uvloop.run(_do(service, verb, Settings.from_environ(environ), answer_as))
    except (BadSettings, BadCertificate, UnknownAnnotation) as error:
        sys.stderr.write(f"{error}\n")
        return _MISUSED
    except (Unavailable, StreamCorrupt, OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED


async def _do(service: Service, verb: str, settings: Settings, answer_as: Answer) -> int:
    if settings.service != service.name:
        raise BadSettings(f"Set ASSAY_SERVICE to {service.name}.")
    if verb == "serve":
        await serve(service, settings)
        return 0
    if service.projection is None:
        return 0
    return await _UPKEEP[verb](service.projection, settings, answer_as)
