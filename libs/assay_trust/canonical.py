"""Canonical JSON: RFC 8785 narrowed until a value has exactly one spelling in any language.

Only objects, arrays, booleans and NFC strings exist; keys are lower-case ASCII; integers are
decimal strings, so no reader's floating point can change them.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

from assay_trust.errors import NotCanonical

Value: TypeAlias = "Mapping[str, Value] | Sequence[Value] | bool | str"
_Plain: TypeAlias = "dict[str, _Plain] | list[_Plain] | bool | str"

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
_KEY = re.compile(r"[a-z0-9_]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: Value, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the one spelling of `value`; refuse it if that is longer than `max_bytes`."""
    return _spell(_plain(value, depth=1), max_bytes)


def decode(data: bytes, max_bytes: int = MAX_BYTES) -> Value:
    """Return the value that `data` spells; refuse `data` if the value is spelled differently."""
    if len(data) > max_bytes:
        raise NotCanonical(f"Keep the JSON within {max_bytes} bytes.")
    value = _plain(_parse(data), depth=1)
    if _spell(value, max_bytes) != data:
        raise NotCanonical("Write the JSON in its canonical form (RFC 8785).")
    return value


def _parse(data: bytes) -> object:
    try:
        parsed: object = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_refuse_number,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except UnicodeDecodeError as error:
        raise NotCanonical("Encode the JSON as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise NotCanonical("Send a single well-formed JSON value.") from error
    except RecursionError as error:
        raise _too_deep() from error
    return parsed


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise NotCanonical("Name each key of an object once.")
    return unique


def _refuse_number(_: str) -> NoReturn:
    raise NotCanonical("Write integers as decimal strings; JSON numbers are not used.")


def _plain(value: object, depth: int) -> _Plain:
    """Return `value` in Python's own types, with everything checked but the size."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(item, depth + 1) for item in value]
    raise NotCanonical("Use only objects, arrays, booleans and strings.")


def _key(key: object) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise NotCanonical("Name keys with the characters a to z, 0 to 9 and _ only.")
    return key


def _text(text: str) -> str:
    # The surrogate check comes first: normalisation passes lone surrogates through.
    if _SURROGATE.search(text):
        raise NotCanonical("Remove lone surrogates from the text.")
    if not unicodedata.is_normalized("NFC", text):
        raise NotCanonical("Normalise the text to NFC.")
    return text


def _spell(value: _Plain, max_bytes: int) -> bytes:
    # For ASCII keys the order of code points is RFC 8785's order of UTF-16 units, and json escapes
    # exactly what RFC 8785 escapes: ", \ and U+0000 to U+001F, the latter short where possible.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    data = text.encode("utf-8")
    if len(data) > max_bytes:
        raise NotCanonical(f"Keep the JSON within {max_bytes} bytes.")
    return data


def _too_deep() -> NotCanonical:
    return NotCanonical(f"Nest objects and arrays at most {MAX_DEPTH} deep.")
