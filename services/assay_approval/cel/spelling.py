"""How inputs are written down: canonical JSON, numbers as digits, maps as sorted entries."""

import json
import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from assay_approval.cel.profile import VARIABLES
from assay_trust import canonical
from assay_trust.errors import NotCanonical, TrustError

Value: TypeAlias = "str | bool | int | float | Sequence[Value] | Mapping[str, Value]"

VERSION = "assay/inputs/v1"
_ROW = "row"  # the item of a list of maps, whose keys are names: an object, which is shorter
MAX_BYTES = 64 * 1024
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DOUBLE = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?")
_INT64 = range(-(2**63), 2**63)


class BadInputs(TrustError):
    """The inputs can't be evaluated, or not be kept."""


def spell(values: Mapping[str, Value], max_bytes: int = MAX_BYTES) -> bytes:
    """Return the one spelling of the values; refuse any that conditions can't read."""
    try:
        return canonical.encode(_nested(values), max_bytes)
    except NotCanonical as error:
        raise _bad(error) from error


def excerpt(data: bytes, names: Collection[str]) -> Mapping[str, Value]:
    """Return some of the values of `data`, which was canonical when it was recorded."""
    try:
        return _pick(json.loads(data), names)
    except ValueError as error:
        raise BadInputs("Give inputs in canonical JSON.") from error


def read(data: bytes) -> Mapping[str, Value]:
    """Return the values that `data` holds; whether it is their one spelling, it does not ask."""
    try:
        whole = canonical.decode(data, MAX_BYTES)
    except NotCanonical as error:
        raise _bad(error) from error
    return _pick(whole, VARIABLES)


def _pick(whole: canonical.Value, names: Collection[str]) -> Mapping[str, Value]:
    found = {name: _find(whole, name) for name in names}
    return {
        name: _read(VARIABLES[name], value, name)
        for name, value in found.items()
        if value is not None
    }


def normal(value: Value, name: str) -> Value:
    """Return the value with its texts in Unicode's form NFC, in which conditions are written."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        kept = {
            unicodedata.normalize("NFC", key): normal(item, name) for key, item in value.items()
        }
        if len(kept) != len(value):
            raise BadInputs(f"Rename one of the keys of {name} that differ in Unicode form only.")
        return kept
    if isinstance(value, Sequence):
        return [normal(item, name) for item in value]
    return value


def _bad(error: NotCanonical) -> BadInputs:
    words = str(error)
    return BadInputs(f"Correct the inputs of the conditions: {words[0].lower()}{words[1:]}")


def _nested(values: Mapping[str, Value]) -> canonical.Value:
    """Return the values as objects within objects, one for each part of a variable's name."""
    whole: dict[str, canonical.Value] = {"v": VERSION}
    for name, value in values.items():
        if name not in VARIABLES:
            raise BadInputs(f"Leave {name} out: it is no variable of conditions.")
        *above, last = name.split(".")
        place = whole
        for part in above:
            below = place.setdefault(part, {})
            if isinstance(below, dict):
                place = below
        place[last] = _write(VARIABLES[name], value, name)
    return whole


def _find(whole: canonical.Value, name: str) -> "canonical.Value | None":
    """Return what was written of a variable, None where it was left out."""
    place: canonical.Value | None = whole
    for part in name.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    return place


def _write(kind: str, value: Value, name: str) -> canonical.Value:
    """Return a value as canonical JSON; refuse one that is not of its kind."""
    if kind == _ROW and isinstance(value, Mapping):
        return {key: _write("string", item, name) for key, item in value.items()}
    if kind.startswith("map<") and isinstance(value, Mapping):
        item = _item(kind)
        return [{"key": key, "value": _write(item, value[key], name)} for key in sorted(value)]
    if kind.startswith("list<") and isinstance(value, Sequence) and not isinstance(value, str):
        return [_write(_item(kind), each, name) for each in value]
    if (kind == "string" and isinstance(value, str)) or (
        kind == "bool" and isinstance(value, bool)
    ):
        return value
    if kind == "int" and type(value) is int and value in _INT64:
        return str(value)
    if kind == "double" and isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise BadInputs(f"Give {name} as {kind}: numbers are finite, integers have 64 bits.")


def _read(kind: str, value: canonical.Value, name: str) -> Value:
    """Return the value that canonical JSON holds; refuse one that is not of its kind."""
    if kind == _ROW and isinstance(value, Mapping):
        return {key: _read("string", item, name) for key, item in value.items()}
    if kind.startswith("map<") and isinstance(value, list):
        return dict(_entry(_item(kind), each, name) for each in value)
    if kind.startswith("list<") and isinstance(value, list):
        return [_read(_item(kind), each, name) for each in value]
    if kind == "bool" and isinstance(value, bool):
        return value
    if isinstance(value, str):
        if kind == "string":
            return value
        if kind == "int" and _INTEGER.fullmatch(value):
            return int(value)
        if kind == "double" and _DOUBLE.fullmatch(value):
            return float(value)
    raise BadInputs(f"Give {name} as {kind}: maps as entries, numbers as digits.")


def _entry(item: str, value: canonical.Value, name: str) -> tuple[str, Value]:
    """Return key and value of one entry of a map."""
    if isinstance(value, Mapping) and value.keys() == {"key", "value"}:
        key = value["key"]
        if isinstance(key, str):
            return key, _read(item, value["value"], name)
    raise BadInputs(f"Give each entry of {name} as a key and a value.")


def _item(kind: str) -> str:
    """Return the type of what a map or a list holds."""
    if kind.startswith("list<map<"):
        return _ROW
    return kind.removeprefix("map<string,").removeprefix("list<").removesuffix(">")
