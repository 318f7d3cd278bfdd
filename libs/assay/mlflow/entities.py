"""What a registry holds, read from its JSON once and then trusted.

Texts are Unicode without NUL, numbers have 64 bits.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from assay.mlflow.faults import Unusable, quoted, unusable

Json = Mapping[str, object]
_MAX_NUMBER = 10**9
_NUMBER_DIGITS = 19


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A registered model; times are in milliseconds, 0 where they are not told."""

    name: str
    description: str = ""
    author: str = ""
    create_ms: int = 0
    update_ms: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """A version of a registered model."""

    model: str
    number: int
    description: str = ""
    author: str = ""
    create_ms: int = 0
    update_ms: int = 0
    stage: str = ""
    source: str = ""
    run_id: str = ""
    run_link: str = ""
    status: str = ""
    status_message: str = ""
    model_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The version as people write it: NAME/N."""
        return f"{self.model}/{self.number}"


@dataclass(frozen=True, slots=True)
class SourceRun:
    """What a run measured last, and what it was set to."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)


def model(data: Json) -> SourceModel:
    """Return a model out of its JSON."""
    return SourceModel(
        name=text(data, "name"),
        description=text(data, "description"),
        author=text(data, "user_id"),
        create_ms=integer(data, "creation_timestamp"),
        update_ms=integer(data, "last_updated_timestamp"),
        tags=_pairs(data, "tags"),
        aliases={text(a, "alias"): _number(a) for a in objects(data, "aliases")},
    )


def version(data: Json) -> SourceVersion:
    """Return a version out of its JSON."""
    source = text(data, "source")
    return SourceVersion(
        model=text(data, "name"),
        number=_number(data),
        description=text(data, "description"),
        author=text(data, "user_id"),
        create_ms=integer(data, "creation_timestamp"),
        update_ms=integer(data, "last_updated_timestamp"),
        stage=text(data, "current_stage"),
        source=source,
        run_id=text(data, "run_id"),
        run_link=text(data, "run_link"),
        status=text(data, "status"),
        status_message=text(data, "status_message"),
        model_id=text(data, "model_id") or _logged_model(source),
        tags=_pairs(data, "tags"),
    )


def run(data: Json) -> SourceRun:
    """Return the data of a run out of its JSON."""
    return SourceRun(
        metrics={text(m, "key"): _value(m) for m in objects(data, "metrics")},
        params=_pairs(data, "params"),
    )


def text(data: Json, key: str) -> str:
    """Return a text, empty where there is none."""
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or not _is_unicode(value):
        raise _odd(key, value, "a text of Unicode without NUL")
    return value


def integer(data: Json, key: str) -> int:
    """Return a whole number, 0 where there is none; int64 may be a number or its digits."""
    value = data.get(key)
    if value is None:
        return 0
    if (
        isinstance(value, str)
        and value.isascii()
        and value.isdecimal()
        and len(value) < _NUMBER_DIGITS
    ):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise _odd(key, value, "a whole number of 64 bits")
    return value


def objects(data: Json, key: str) -> Iterator[Json]:
    """Yield the objects of a list, none where there is no list."""
    value = data.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        raise _odd(key, value, "a list")
    for item in value:
        if not isinstance(item, dict):
            raise _odd(key, item, "a list of objects")
        yield item


def inner(data: Json, key: str) -> Json:
    """Return an object, an empty one where there is none."""
    value = data.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _odd(key, value, "an object")
    return value


def _number(data: Json) -> int:
    number = integer(data, "version")
    if not 1 <= number <= _MAX_NUMBER:
        raise _odd("version", data.get("version"), f"a number from 1 to {_MAX_NUMBER}")
    return number


def _value(data: Json) -> float:
    """Return the value of a metric; those that are no number come as texts."""
    value = data.get("value", 0.0)
    try:
        return float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        raise _odd("value", value, "a number") from None


def _pairs(data: Json, key: str) -> dict[str, str]:
    return {text(pair, "key"): text(pair, "value") for pair in objects(data, key)}


def _logged_model(source: str) -> str:
    """Return the id in `models:/m-ID`, empty where the source is another."""
    prefix = "models:/m-"
    return source.removeprefix("models:/").split("/")[0] if source.startswith(prefix) else ""


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _odd(key: str, value: object, wanted: str) -> Unusable:
    return unusable(f"The source sends {quoted(repr(value))} as {key}; it must be {wanted}.")
