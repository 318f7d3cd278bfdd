"""The services as processes: each gets its own credentials, and no other's."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from assay_serve.embedded import certificates, identity, objects, ports, postgres
from assay_serve.embedded.contexts import SERVICES
from assay_serve.embedded.credentials import Secrets
from assay_serve.embedded.data_folder import DataFolder
from assay_serve.embedded.failures import Refused
from assay_serve.embedded.processes import Program

PREPARED = ("audit",)  # whose tables another role makes before it serves
_PASSED_ON = ("PYTHONPATH", "ASSAY_LOG_LEVEL", "ASSAY_OIDC_ISSUERS")


@dataclass(frozen=True, slots=True)
class Modules:
    """What to run for each service, and to make or check the stream."""

    services: Mapping[str, str]
    setup: str

    @classmethod
    def from_environ(cls) -> "Modules":
        """Return Assay's own, or those that ASSAY_MODULES names as JSON (for tests)."""
        own = {**{name: f"assay_{name}.main" for name in SERVICES}, "setup": "assay_events.setup"}
        given = os.environ.get("ASSAY_MODULES")
        try:
            named = own if given is None else {k: str(v) for k, v in json.loads(given).items()}
        except (ValueError, AttributeError) as error:
            raise Refused("Set ASSAY_MODULES to a JSON object of modules by service.") from error
        unknown = sorted(named.keys() - own.keys())
        if unknown:
            raise Refused(f"Name only services in ASSAY_MODULES, not {unknown[0]!r}.")
        return cls(
            {name: named[name] for name in SERVICES if name in named}, named.get("setup", "")
        )


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything a process of the stack needs to know of the others."""

    folder: DataFolder
    secrets: Secrets
    port: Mapping[str, int]
    modules: Modules
    service_seconds: float = 60.0  # how long a service may take until it serves

    def address(self, name: str) -> str:
        """Return where the process `name` listens."""
        return f"{ports.HOST}:{self.port[name]}"

    def internal_address(self, name: str) -> str:
        """Return where the service `name` listens to the other services."""
        return self.address(internal(name))

    def serve(self, name: str) -> Program:
        """Return the service `name`."""
        return self._python(name, name, (self.modules.services[name], "serve"), self.env(name))

    def prepare(self, name: str) -> Program:
        """Return what makes the tables of `name` as their owner."""
        argv = (self.modules.services[name], "prepare")
        return self._python(f"{name}-prepare", name, argv, self.owner_env(name))

    def setup(self) -> Program:
        """Return what makes the stream, or checks it, and founds the log."""
        env = {**self._nats("setup"), **self._deployment()}
        return self._python("setup", "setup", (self.modules.setup,), env)

    def env(self, name: str) -> dict[str, str]:
        """Return all that the running service `name` is told."""
        others = (other for other in self.modules.services if other != name)
        told = {
            "ASSAY_SERVICE": name,
            "ASSAY_LISTEN": self.address(name),
            "ASSAY_INTERNAL_LISTEN": self.internal_address(name),
            "ASSAY_POSTGRES_URL": self._postgres(name, name),
            "ASSAY_JWKS": str(self.folder.identity / identity.TRUSTED),
            "ASSAY_SERVICE_KEY": str(identity.service_key(self.folder.identity, name)),
            **certificates.environ(self.folder.tls, name),
            "ASSAY_PEERS": json.dumps({other: self.internal_address(other) for other in others}),
        }
        return {**told, **self._nats(name), **self._deployment(), **self._objects(name)}

    def owner_env(self, name: str) -> dict[str, str]:
        """Return what is told to one who may also make and drop the tables of `name`."""
        url = self._postgres(postgres.owner_of(name), name)
        return {**self.env(name), "ASSAY_POSTGRES_OWNER_URL": url}

    def _nats(self, user: str) -> dict[str, str]:
        return {
            "ASSAY_NATS_URL": f"nats://{self.address('nats')}",
            "ASSAY_NATS_USER": user,
            "ASSAY_NATS_PASSWORD": self.secrets.nats[user],
        }

    def _deployment(self) -> dict[str, str]:
        return {"ASSAY_DEPLOYMENT": self.secrets.deployment, "ASSAY_OWNER": self.secrets.owner}

    def _postgres(self, role: str, database: str) -> str:
        return postgres.url(self.port["postgres"], role, self.secrets.postgres[role], database)

    def _objects(self, name: str) -> dict[str, str]:
        if name != "artifact":
            return {}
        return {
            "ASSAY_S3_URL": objects.url(self.port["s3"]),
            "ASSAY_S3_ACCESS_KEY": self.secrets.s3["access_key"],
            "ASSAY_S3_SECRET_KEY": self.secrets.s3["secret_key"],
            "ASSAY_S3_BUCKET": self.secrets.s3["bucket"],
        }

    def _python(
        self, name: str, log: str, argv: tuple[str, ...], env: Mapping[str, str]
    ) -> Program:
        return Program(
            name=name,
            argv=python(argv),
            folder=self.folder.run,
            log=self.folder.log(log),
            env={**passed_on(), **env, "PYTHONUNBUFFERED": "1"},
        )


def internal(name: str) -> str:
    """Return the name of the port by which the other services reach the service `name`."""
    return f"{name}-internal"


def python(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command that runs a module and never one from the working folder."""
    return (sys.executable, "-P", "-m", *argv)


def passed_on() -> dict[str, str]:
    """Return the settings of the operator that reach a service: telemetry, log level, issuers."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED_ON or name.startswith("OTEL_")
    }
