"""What a checked CEL expression is made of, as far as the profile asks.

The library hands out cel.expr.CheckedExpr as bytes and no classes for it, so the few fields that
matter are read by their numbers (google/cel-spec, proto/cel/expr/checked.proto and syntax.proto).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

Part: TypeAlias = tuple[int, int | bytes]  # the number of a field, and its value

_SCALARS = range(1, 6)  # Type.PrimitiveType: BOOL, INT64, UINT64, DOUBLE, STRING


class Form(Enum):
    """What kind of node it is."""

    CONSTANT = auto()
    NAME = auto()
    FIELD = auto()
    PRESENCE = auto()
    CALL = auto()
    LITERAL = auto()
    MESSAGE = auto()
    COMPREHENSION = auto()


@dataclass(frozen=True, slots=True)
class Node:
    """One node: what it names, what it is made of, and what is done anew for each item."""

    number: int
    form: Form
    name: str = ""
    children: tuple["Node", ...] = ()
    body: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """One value that an expression reads: a variable, and the keys that follow it."""

    variable: str
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.variable + "".join(f'["{key}"]' for key in self.keys)


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole expression, with the place and type of each of its nodes."""

    root: Node
    offsets: Mapping[int, int]
    scalars: frozenset[int]

    def walk(self) -> Iterator[tuple[Node, int]]:
        """Yield every node, with how many comprehensions it is repeated by."""
        return _walk(self.root, 0)

    def is_scalar(self, node: Node) -> bool:
        """Return whether the node is a text, a number or a boolean, by its static type."""
        return node.number in self.scalars

    def names(self) -> frozenset[str]:
        """Return every name that is read as a variable."""
        return frozenset(node.name for node, _ in self.walk() if node.form is Form.NAME)

    def reads(self) -> Iterator[Read]:
        """Yield each value that is read by constant keys."""
        return _reads(self.root)


def parse(checked: bytes) -> Tree:
    """Return the tree of an expression as the library serialises it, within a protobuf Any."""
    parts = _parts(AnyMessage.FromString(checked).value)
    types = [_entry(entry) for entry in _all(parts, 3)]
    positions = [_entry(entry) for entry in _all(_parts(_bytes(parts, 5)), 4)]
    return Tree(
        root=_node(_bytes(parts, 4)),
        offsets={key: _number(entry, 2) for key, entry in positions},
        scalars=frozenset(key for key, entry in types if _is_scalar(_bytes(entry, 2))),
    )


def _node(expression: bytes) -> Node:
    """Read an Expr: its id, and the one field of those that say what kind it is."""
    parts = _parts(expression)
    kind, data = next(part for part in parts if part[0] in _READERS)
    return _READERS[kind](_number(parts, 2), _parts(data if isinstance(data, bytes) else b""))


def _constant(number: int, parts: Sequence[Part]) -> Node:
    return Node(number, Form.CONSTANT, _text(parts, 6))


def _name(number: int, parts: Sequence[Part]) -> Node:
    return Node(number, Form.NAME, _text(parts, 1))


def _select(number: int, parts: Sequence[Part]) -> Node:
    form = Form.PRESENCE if _number(parts, 3) else Form.FIELD
    return Node(number, form, _text(parts, 2), _nodes(parts, 1))


def _call(number: int, parts: Sequence[Part]) -> Node:
    return Node(number, Form.CALL, _text(parts, 2), _nodes(parts, 1) + _nodes(parts, 3))


def _list(number: int, parts: Sequence[Part]) -> Node:
    return Node(number, Form.LITERAL, children=_nodes(parts, 1))


def _struct(number: int, parts: Sequence[Part]) -> Node:
    """Read a map, or a message: the one with a name."""
    entries = [_parts(entry) for entry in _all(parts, 2)]
    children = tuple(node for entry in entries for node in _nodes(entry, 3) + _nodes(entry, 4))
    name = _text(parts, 1)
    return Node(number, Form.MESSAGE if name else Form.LITERAL, name, children)


def _comprehension(number: int, parts: Sequence[Part]) -> Node:
    """Read a macro: range, start and result are done once; condition and step for each item."""
    once = _nodes(parts, 2) + _nodes(parts, 4) + _nodes(parts, 7)
    each = _nodes(parts, 5) + _nodes(parts, 6)
    return Node(number, Form.COMPREHENSION, _text(parts, 1), once, each)


_READERS: Mapping[int, Callable[[int, Sequence[Part]], Node]] = {
    3: _constant,
    4: _name,
    5: _select,
    6: _call,
    7: _list,
    8: _struct,
    9: _comprehension,
}


def _walk(node: Node, depth: int) -> Iterator[tuple[Node, int]]:
    yield node, depth
    for child in node.children:
        yield from _walk(child, depth)
    for child in node.body:
        yield from _walk(child, depth + 1)


def _reads(node: Node) -> Iterator[Read]:
    read = _read(node)
    if read.variable:
        yield read
        return
    for child in node.children + node.body:
        yield from _reads(child)


def _read(node: Node) -> Read:
    """Return what a chain of constant keys reads, a Read of nothing for any other node."""
    if node.form is Form.NAME:
        return Read(node.name)
    if node.form is Form.FIELD:
        return _below(node.children[0], node.name)
    if node.form is Form.CALL and node.name == "_[_]":
        key = node.children[1]
        if key.form is Form.CONSTANT and key.name:
            return _below(node.children[0], key.name)
    return Read("")


def _below(node: Node, key: str) -> Read:
    above = _read(node)
    return Read(above.variable, (*above.keys, key)) if above.variable else above


def _is_scalar(kind: bytes) -> bool:
    return _number(_parts(kind), 3) in _SCALARS


def _entry(entry: bytes) -> tuple[int, Sequence[Part]]:
    """Return the key of a map's entry, and the entry."""
    parts = _parts(entry)
    return _number(parts, 1), parts


def _parts(message: bytes) -> Sequence[Part]:
    """Return number and value of each field of a message, in order."""
    found = UnknownFieldSet(Empty.FromString(message))
    return [(found[index].field_number, found[index].data) for index in range(len(found))]


def _all(parts: Sequence[Part], number: int) -> Sequence[bytes]:
    return [data for tag, data in parts if tag == number and isinstance(data, bytes)]


def _nodes(parts: Sequence[Part], number: int) -> tuple[Node, ...]:
    return tuple(_node(data) for data in _all(parts, number))


def _bytes(parts: Sequence[Part], number: int) -> bytes:
    return next(iter(_all(parts, number)), b"")


def _text(parts: Sequence[Part], number: int) -> str:
    return _bytes(parts, number).decode()


def _number(parts: Sequence[Part], number: int) -> int:
    return next((data for tag, data in parts if tag == number and isinstance(data, int)), 0)
