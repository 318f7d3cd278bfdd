"""An expression that was compiled: what the library made of it, and what we know beside."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assay_approval.cel import profile, tree
from assay_approval.cel.spelling import Value
from assay_approval.cel.tree import Read

_KEPT = 1024
_MOST_READS = 4
_MOST_CHARACTERS = 80
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FAULT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_NOT_FOUND = "NOT_FOUND: "
_CODE = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_HINTS = (
    (r"Syntax error: (.*?)( expecting \{.*)?$", r"mend the syntax: \1"),
    (
        r"undeclared reference to '([^']*)'",
        r"\1 is neither a variable nor a function of conditions",
    ),
    (
        r"no matching overload for '([^']*)' applied to '\((double, int|int, double)\)'",
        r"write both numbers as doubles, such as 90.0, or both as integers",
    ),
    (
        r"recursion (depth|limit)",
        "nest the expression at most 32 deep, and join at most 32 operands",
    ),
)


class Fault(Exception):
    """What is wrong with an expression, and where; line 0 for all of it."""

    def __init__(self, what: str, line: int = 0, column: int = 0) -> None:
        super().__init__(what)
        self.what, self.line, self.column = what, line, column


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression as the library has it, and what we know of it."""

    program: profile.Program
    variables: frozenset[str]
    reads: tuple[Read, ...]
    characters: int
    longest_literal: int
    repeated_work: int

    def costs_too_much(self, read: Mapping[str, Value]) -> bool:
        """Return whether what is repeated for each item might take long over these values."""
        if not self.repeated_work:
            return False
        longest, characters = _extent(read)
        items = max(longest, self.longest_literal)
        return self.repeated_work * items * (characters + self.characters) > profile.MAX_COST

    def failed(self, words: str, read: Mapping[str, Value]) -> str:
        """Say why it came to nothing: which value is missing, or what the library says."""
        absent = [str(each) for each in self.reads if _look_up(each, read) is None]
        if absent and words.startswith(_NOT_FOUND):
            return f"{absent[0]} is missing."
        return failure(words)

    def told(self, read: Mapping[str, Value]) -> str:
        """Say that it is false, and of what."""
        values = [(each, _look_up(each, read)) for each in self.reads]
        told = [
            f"{each} is {_short(json.dumps(value, ensure_ascii=False))}"
            for each, value in values
            if isinstance(value, str | bool | int | float)
        ]
        return f"It is false: {', '.join(told[:_MOST_READS])}." if told else "It is false."


@lru_cache(maxsize=_KEPT)
def ready(expression: str) -> Compiled:
    """Return the expression, checked; raise Fault where it breaks a rule."""
    _check_text(expression)
    try:
        program = profile.program(expression)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _library_fault(str(error)) from error
    parsed = tree.parse(program.serialize())
    for node, what in profile.faults(parsed):
        raise Fault(what, *_place(expression, parsed.offsets.get(node.number, 0)))
    if program.return_type() != profile.BOOL:
        raise Fault("make it true or false, by a comparison for example")
    reads = tuple(dict.fromkeys(parsed.reads()))
    variables = parsed.names() & profile.VARIABLES.keys()
    return Compiled(
        program,
        variables,
        reads,
        characters=len(expression),
        longest_literal=profile.longest_literal(parsed),
        repeated_work=profile.repeated_work(parsed),
    )


def _check_text(expression: str) -> None:
    """Refuse what is too long, or looks other than it is."""
    for offset, character in enumerate(expression):
        if unicodedata.category(character) in _UNSEEN and character not in "\t\n\r":
            what = f"leave the character U+{ord(character):04X} out, or write it as an escape"
            raise Fault(what, *_place(expression, offset))
    if len(expression.encode()) > profile.MAX_EXPRESSION_BYTES:
        raise Fault(f"keep it within {profile.MAX_EXPRESSION_BYTES} bytes")
    if not unicodedata.is_normalized("NFC", expression):
        raise Fault("write its texts in Unicode's form NFC")


def _library_fault(words: str) -> Fault:
    """Return what the library says of an expression, with a hint where we have one."""
    found = _FAULT.search(words)
    line, column, what = (found[1], found[2], found[3]) if found else ("0", "0", words)
    what = _CODE.sub("", what)
    for pattern, hint in _HINTS:
        if match := re.search(pattern, what):
            what = match.expand(hint)
    return Fault(what, max(int(line), 0), max(int(column), 0))


def _place(expression: str, offset: int) -> tuple[int, int]:
    """Return line and column of a character, each from 1."""
    before = expression[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def failure(words: str) -> str:
    """Return a sentence that says why an expression came to nothing."""
    return f"It can't be evaluated: {_CODE.sub('', words).rstrip('.')}."


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def _look_up(each: Read, values: Mapping[str, Value]) -> "Value | None":
    """Return a value that an expression reads, None where it is not there."""
    found: Value | None = values.get(each.variable)
    for key in each.keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _extent(value: Value) -> tuple[int, int]:
    """Return the length of the longest list or map in a value, and its characters in all."""
    if isinstance(value, str):
        return 0, len(value)
    parts: list[Value] = []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, Sequence):
        parts = [*value]
    extents = [_extent(part) for part in parts]
    longest = max((items for items, _ in extents), default=0)
    return max(longest, len(parts)), len(parts) + sum(characters for _, characters in extents)
