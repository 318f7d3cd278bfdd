"""Files that are whole or not there, and readable by their owner only unless said otherwise."""

import json
import os
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

PRIVATE = 0o600
READABLE = 0o644


def write(path: Path, data: str | bytes, mode: int = PRIVATE) -> None:
    """Put `data` into `path` in one step: a reader sees the old file or the new one."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def write_json(path: Path, value: object, mode: int = PRIVATE) -> None:
    """Put `value` into `path` as JSON, in one step."""
    write(path, json.dumps(value, indent=2) + "\n", mode)


def read_json(path: Path) -> Json:
    """Return what `path` holds; nothing (None) where there is no such file or no JSON in it."""
    try:
        value: Json = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value
