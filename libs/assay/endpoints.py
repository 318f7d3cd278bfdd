"""Where the services of a deployment listen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

from assay.errors import FailedPrecondition

FILE_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One address, `host:port`, a service."""

    metadata: str
    artifact: str
    lineage: str
    approval: str
    audit: str

    @classmethod
    def of(cls, addresses: Mapping[str, object]) -> Self:
        """Return the addresses of the services among `addresses`, by service.

        Example:
            >>> names = ("metadata", "artifact", "lineage", "approval", "audit")
            >>> Endpoints.of({name: "127.0.0.1:7000" for name in names}).audit
            '127.0.0.1:7000'
        """
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if not isinstance(addresses.get(name), str)]
        if missing:
            raise FailedPrecondition(f"Give the addresses of {', '.join(missing)} too.")
        return cls(*(str(addresses[name]) for name in names))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the addresses that the stack in the data folder `folder` wrote."""
        path = folder / FILE_NAME
        try:
            addresses: object = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise FailedPrecondition(
                f"No stack has been started in {folder}: start one, or name its folder.",
                reason="NOT_STARTED",
                metadata={"data": str(folder)},
            ) from None
        except (OSError, ValueError) as error:
            raise FailedPrecondition(f"The file {path} cannot be read: {error}.") from error
        if not isinstance(addresses, dict):
            raise FailedPrecondition(f"The file {path} must hold a JSON object.")
        return cls.of(addresses)
