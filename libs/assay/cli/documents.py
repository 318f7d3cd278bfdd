"""YAML and JSON documents of users: read field by field, each mistake named with its place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from google.protobuf.timestamp_pb2 import Timestamp

from assay.errors import Invalid

_MAX_BYTES = 1024 * 1024
_MOST = 2**31


def read(path: Path) -> list["Document"]:
    """Return the documents of a file."""
    data = path.read_bytes()
    if len(data) > _MAX_BYTES:
        raise Invalid(f"{path}: keep the file within {_MAX_BYTES} bytes.", reason="TOO_LARGE")
    try:
        values = [value for value in yaml.safe_load_all(data) if value is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        what = getattr(error, "problem", None) or type(error).__name__
        raise Invalid(f"{path}{line}: this is not YAML ({what}).", reason="MALFORMED") from error
    if not values:
        raise Invalid(f"{path}: the file is empty.", reason="REQUIRED")
    many = len(values) > 1
    return [
        Document.of(value, f"{path}, document {number}" if many else str(path))
        for number, value in enumerate(values, 1)
    ]


def read_one(path: Path) -> "Document":
    """Return the one document of a file."""
    documents = read(path)
    if len(documents) != 1:
        raise Invalid(f"{path}: keep one document in the file.", reason="MALFORMED")
    return documents[0]


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping of a user's file, and where it stands."""

    fields: Mapping[str, object]
    place: str

    @classmethod
    def of(cls, value: object, place: str) -> "Document":
        """Return `value` as a document; it must be a mapping with names as keys."""
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise Invalid(f"{place}: write fields, as in `name: value`.", reason="MALFORMED")
        return cls(value, place)

    def only(self, *known: str) -> None:
        """Refuse any field that is not known."""
        for name in self.fields:
            if name not in known:
                raise self.wrong(name, f"is not a field; there are {', '.join(known)}")

    def text(self, name: str, *, required: bool = False) -> str:
        """Return a text, empty where it is not there."""
        value = self.fields.get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str) or (required and not value):
            raise self.wrong(name, "must be a text")
        return value

    def texts(self, name: str, *, required: bool = False) -> list[str]:
        """Return a list of texts; one text alone is a list of one."""
        value = self.fields.get(name)
        listed = [] if value is None else value if isinstance(value, list) else [value]
        for item in listed:
            if not isinstance(item, str) or not item:
                raise self.wrong(name, "must be a list of texts")
        if required and not listed:
            raise self.wrong(name, "must name at least one")
        return [str(item) for item in listed]

    def whole(self, name: str) -> int:
        """Return a whole number."""
        value = self.fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= _MOST:
            raise self.wrong(name, "must be a whole number")
        return value

    def scalars(self, name: str) -> dict[str, str]:
        """Return a mapping of names to texts; numbers and yes or no are written as texts."""
        pairs = self.mapping(name)
        for key, value in pairs.items():
            if isinstance(value, dict | list) or value is None:
                raise self.wrong(f"{name}.{key}", "must be a text or a number")
        return {key: _scalar(value) for key, value in pairs.items()}

    def numbers(self, name: str) -> dict[str, float]:
        """Return a mapping of names to numbers."""
        pairs = self.mapping(name)
        for key, value in pairs.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise self.wrong(f"{name}.{key}", "must be a number")
        return {key: float(str(value)) for key, value in pairs.items()}

    def number(self, name: str) -> float:
        """Return a number."""
        value = self.fields.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.wrong(name, "must be a number")
        return float(str(value))

    def scalar(self, name: str) -> str:
        """Return a text or a number as text, empty where it is not there."""
        value = self.fields.get(name)
        if isinstance(value, dict | list):
            raise self.wrong(name, "must be a text or a number")
        return "" if value is None else _scalar(value)

    def flag(self, name: str) -> bool:
        """Return a yes or no, no where it is not there."""
        value = self.fields.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def wholes(self, name: str) -> list[int]:
        """Return a list of whole numbers."""
        value = self.fields.get(name)
        listed: list[object] = (
            [] if value is None else value if isinstance(value, list) else [value]
        )
        numbers = [item for item in listed if isinstance(item, int) and not isinstance(item, bool)]
        if len(numbers) < len(listed) or any(abs(number) >= _MOST for number in numbers):
            raise self.wrong(name, "must be a list of whole numbers")
        return numbers

    def part(self, name: str) -> "Document":
        """Return a mapping inside as a document, empty where it is not there."""
        return Document(self.mapping(name), f"{self.place}: {name}")

    def parts(self, name: str) -> list["Document"]:
        """Return a list of mappings inside as documents."""
        value = self.fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        return [
            Document.of(item, f"{self.place}: {name}[{number}]")
            for number, item in enumerate(value)
        ]

    def time(self, name: str) -> Timestamp | None:
        """Return a time, none (None) where it is not there."""
        value = self.fields.get(name)
        if value is None:
            return None
        try:
            read_time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            raise self.wrong(name, "must be a time, as in 2026-03-01T12:00:00Z") from None
        stamp = Timestamp()
        stamp.FromDatetime(read_time if read_time.tzinfo else read_time.replace(tzinfo=UTC))
        return stamp

    def wrong(self, name: str, rule: str) -> Invalid:
        """Return the refusal of one field."""
        return Invalid(f"{self.place}: {name} {rule}.", reason="MALFORMED", fields={name: rule})

    def mapping(self, name: str) -> Mapping[str, object]:
        """Return a mapping of names to values, empty where it is not there."""
        value = self.fields.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.wrong(name, "must be a mapping of names to values")
        return value


def _scalar(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
