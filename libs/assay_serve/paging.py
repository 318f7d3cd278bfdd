"""Pages by keyset: a page token holds where the last page ended, and of which query it is.

A token is unsigned: all it can say is "after these values", which become bind parameters.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol, TypeAlias

import asyncpg
from google.protobuf.message import Message

from assay_serve.filter_parser import Expression, parse
from assay_serve.filtering import Fields, Kind, to_sql
from assay_serve.refusals import bad_order, bad_page_token

DEFAULT_SIZE = 50
MAX_SIZE = 1000
MAX_BYTES = 1024 * 1024
_ORDER_BY = re.compile(r"\s*([a-z_]+(?:\.(?:'[^']+'|[^\s']+))?)(?:\s+(asc|desc))?\s*\Z")
_NOT_OF_THE_QUERY = ("page_size", "page_token", "at_least_as_fresh")
_REVISION = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_DIGEST_CHARACTERS = 22  # 128 bits in base64url

Value: TypeAlias = str | int | float | bool | datetime


class Database(Protocol):
    """What can be asked: a connection, or a pool's loan of one."""

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]:
        """Return all rows of a query."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """A column that rows may be ordered by; it is never NULL.

    `row` is its name in the selected row, by default what follows the dot in `sql`.
    """

    sql: str
    kind: Kind = Kind.TEXT
    row: str = ""

    @property
    def column(self) -> str:
        """Its name in the selected row."""
        return self.row or self.sql.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Orders:
    """By what a list may be ordered: `default` as in `order_by`; `tie` tells equal rows apart."""

    keys: Mapping[str, Key]
    default: str
    tie: Key


@dataclass(frozen=True, slots=True)
class Rows:
    """One page, and the token of the next, empty on the last."""

    rows: Sequence[asyncpg.Record]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Search:
    """How a search differs from a plain list.

    All its pages are of `revision`, that of the first: its tokens hold it. `condition` stands in
    for the request's filter. `whole` makes whole rows of those that were found: a statement with
    `{page}` as the table `p`.
    """

    revision: int
    condition: Expression
    whole: str


async def fetch(
    db: Database,
    select: str,
    arguments: Sequence[object],
    request: Message,
    orders: Orders,
    fields: Fields | None = None,
    search: Search | None = None,
) -> Rows:
    """Return the page of `select` that the list request `request` asks for.

    `select` ends in a condition and uses the parameters of `arguments`; the filter, the keyset, the
    order and the limit follow. A page of large rows is shorter than asked for.
    """
    keys, descending = _order(_text(request, "order_by"), orders)
    size = _page_size(getattr(request, "page_size", 0))
    digest = query_digest(request) + (f"@{search.revision}" if search else "")
    condition = search.condition if search else parse(_text(request, "filter"))
    found = to_sql(condition, fields or {}, len(arguments) + 1)
    bound: list[object] = [*arguments, *found.arguments]
    query = f"{select} AND {found.sql}"
    page_token = _text(request, "page_token")
    if page_token:
        after = _read_token(page_token, digest, keys)
        query += f" AND {_keyset(keys, len(bound) + 1, descending=descending)}"
        bound += after
    direction = "DESC" if descending else "ASC"
    order = ", ".join(f"{_ordered(key)} {direction}" for key in keys)
    query += f" ORDER BY {order} LIMIT {size + 1}"
    if search:
        order = ", ".join(f"p.{key.column} {direction}" for key in keys)
        query = f"{search.whole.format(page=query)} ORDER BY {order}"
    rows = await db.fetch(query, *bound)
    size = min(size, _fitting(rows))
    if len(rows) <= size:
        return Rows(rows, "")
    last = [rows[size - 1][key.column] for key in keys]
    return Rows(rows[:size], _write_token(digest, last))


def pinned_revision(page_token: str) -> int:
    """Return the revision that the pages of a search are of, 0 before the first of them."""
    if not page_token:
        return 0
    digest = _decoded(page_token)[0]
    _, _, revision = digest.partition("@") if isinstance(digest, str) else ("", "", "")
    if not _REVISION.fullmatch(revision):
        raise bad_page_token()
    return int(revision)


def last_value(page_token: str) -> object:
    """Return the first value after which a page begins, None on the first page."""
    return next(iter(_decoded(page_token)[1:]), None) if page_token else None


def query_digest(request: Message) -> str:
    """Return what tells the queries apart that a page token may belong to."""
    asked = type(request)()
    asked.CopyFrom(request)
    for name in _NOT_OF_THE_QUERY:
        if name in request.DESCRIPTOR.fields_by_name:
            asked.ClearField(name)
    body = asked.SerializeToString(deterministic=True)
    digest = sha256(request.DESCRIPTOR.full_name.encode() + b"\n" + body).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_DIGEST_CHARACTERS]


def _fitting(rows: Sequence[asyncpg.Record]) -> int:
    """Return how many of the first rows fit into one answer, at least one."""
    total = 0
    for count, row in enumerate(rows):
        total += _weight(list(row.values()))
        if total > MAX_BYTES:
            return max(count, 1)
    return len(rows) or 1


def _weight(value: object) -> int:
    """Return about how many bytes a value takes in an answer."""
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case dict():
            return sum(_weight(key) + _weight(inner) for key, inner in value.items())
        case list():
            return sum(map(_weight, value))
        case _:
            return 8


def _page_size(asked: int) -> int:
    return min(asked, MAX_SIZE) if asked > 0 else DEFAULT_SIZE


def _order(asked: str, orders: Orders) -> tuple[tuple[Key, ...], bool]:
    """Return the keys in order, the last of them unique, and whether the order descends."""
    found = _ORDER_BY.match(asked.strip() or orders.default)
    key = orders.keys.get(found[1]) if found else None
    if found is None or key is None:
        names = ", ".join(orders.keys)
        raise bad_order(f"Order by one of {names}, with ` desc` for the reverse.")
    keys = (key,) if key == orders.tie else (key, orders.tie)
    return keys, found[2] == "desc"


def _ordered(key: Key) -> str:
    return f'{key.sql} COLLATE "C"' if _sql_type(key) == "text" else key.sql


def _keyset(keys: Sequence[Key], first: int, *, descending: bool) -> str:
    columns = ", ".join(_ordered(key) for key in keys)
    values = ", ".join(f"${first + at}::{_sql_type(key)}" for at, key in enumerate(keys))
    return f"({columns}) {'<' if descending else '>'} ({values})"


def _sql_type(key: Key) -> str:
    return "text" if key.kind in {Kind.RESOURCE, Kind.CHOICE} else key.kind.value


def _write_token(digest: str, values: Sequence[Value]) -> str:
    body = json.dumps([digest, *(_to_json(value) for value in values)], separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def _read_token(token: str, digest: str, keys: Sequence[Key]) -> list[Value]:
    """Return the values after which the page begins; refuse a token of another query."""
    body = _decoded(token)
    if len(body) != len(keys) + 1 or body[0] != digest:
        raise bad_page_token()
    return [_from_json(value, key.kind) for value, key in zip(body[1:], keys, strict=True)]


def _decoded(token: str) -> list[object]:
    """Return what a token holds; it is never empty."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        body: object = json.loads(text)
    except (ValueError, binascii.Error, RecursionError) as error:
        raise bad_page_token() from error
    if not isinstance(body, list) or not body:
        raise bad_page_token()
    return body


def _to_json(value: Value) -> str | int | float | bool:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _from_json(value: object, kind: Kind) -> Value:
    match kind, value:
        case Kind.TIME, str():
            return _time(value)
        case ((Kind.TEXT | Kind.RESOURCE | Kind.CHOICE), str()) if "\0" not in value:
            return value
        case Kind.BOOLEAN, bool():
            return value
        case Kind.INTEGER, int() if not isinstance(value, bool) and abs(value) < 2**63:
            return value
        case Kind.NUMBER, float():
            return value
        case _:
            raise bad_page_token()


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_page_token() from error


def _text(request: Message, name: str) -> str:
    value: object = getattr(request, name, "")
    return value if isinstance(value, str) else ""
