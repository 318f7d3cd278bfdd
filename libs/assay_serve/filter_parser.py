"""The filter language of AIP-160: what a filter says, read from its text.

filter      = [ sequence { "AND" sequence } ]
sequence    = factor { factor }                 side by side means AND
factor      = term { "OR" term }                # AIP-160: OR binds tighter than AND
term        = [ "NOT" | "-" ] ( "(" filter ")" | restriction )
restriction = field [ "." key ] ( comparator value | [ "NOT" ] ( list | pattern ) )
comparator  = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"
list        = "IN" "(" value { "," value } ")"
pattern     = "LIKE" value                      as in SQL: % any text, _ any character
"""

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from assay_serve.refusals import bad_filter

MAX_TERMS = 100
MAX_DEPTH = 20
MAX_VALUES = 1000


@dataclass(frozen=True, slots=True)
class Restriction:
    """One comparison; `key` is empty but for fields that have parts.

    The comparator IN compares with `values`, every other one with `value`.
    """

    field: str
    key: str
    comparator: str
    value: str
    is_quoted: bool
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """True where `term` is not."""

    term: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """True where all terms are."""

    terms: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """True where one of the terms is."""

    terms: "tuple[Expression, ...]"


Expression: TypeAlias = Restriction | Not | And | Or
EVERYTHING = And(())

_SPACE = re.compile(r"\s*")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[A-Za-z0-9_@/.-]+")
_COMPARATOR = re.compile(r"!=|<=|>=|[=<>:]")
_BARE = re.compile(r"""[^\s()"'=<>!]+""")
_LISTED = re.compile(r"""[^\s()"'=<>!,]+""")
_QUOTED = re.compile(r"""("|')((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WORDS = frozenset({"AND", "OR", "NOT"})


def parse(text: str) -> Expression:
    """Return what `text` says; raise Invalid where it is not a filter."""
    parser = _Parser(text)
    if parser.is_at_end():
        return EVERYTHING
    expression = parser.filter(depth=0)
    if not parser.is_at_end():
        parser.refuse("Balance the parentheses of the filter")
    return expression


class _Parser:
    """Reads one text from the left; each method reads one rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._terms = 0

    def is_at_end(self) -> bool:
        """Skip spaces and return whether nothing follows."""
        self._take(_SPACE)
        return self._at == len(self._text)

    def refuse(self, advice: str) -> NoReturn:
        raise bad_filter(f"{advice}, at character {self._at + 1}.")

    def filter(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            self.refuse(f"Nest the filter at most {MAX_DEPTH} deep")
        terms = [self._factor(depth)]
        while not self.is_at_end() and self._text[self._at] != ")":
            self._take_word("AND")
            terms.append(self._factor(depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _factor(self, depth: int) -> Expression:
        terms = [self._term(depth)]
        while self._take_word("OR"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _term(self, depth: int) -> Expression:
        if self._take_word("NOT") or self._take_sign("-"):
            return Not(self._simple(depth + 1))
        return self._simple(depth)

    def _simple(self, depth: int) -> Expression:
        if not self._take_sign("("):
            return self._restriction()
        inner = self.filter(depth + 1)
        if not self._take_sign(")"):
            self.refuse("Close the parenthesis of the filter")
        return inner

    def _restriction(self) -> Expression:
        self._terms += 1
        if self._terms > MAX_TERMS:
            self.refuse(f"Write at most {MAX_TERMS} comparisons in a filter")
        field = self._field()
        key = self._key() if self._take_sign(".") else ""
        self._take(_SPACE)
        comparator = self._take(_COMPARATOR)
        if comparator:
            value, is_quoted = self._value(_BARE)
            return Restriction(field, key, comparator, value, is_quoted)
        if self._take_word("NOT"):
            return Not(self._membership(field, key))
        return self._membership(field, key)

    def _membership(self, field: str, key: str) -> Restriction:
        if self._take_word("LIKE"):
            value, is_quoted = self._value(_BARE)
            return Restriction(field, key, "LIKE", value, is_quoted)
        if not self._take_word("IN"):
            self.refuse("Write one of = != < <= > >= : IN LIKE after the field")
        if not self._take_sign("("):
            self.refuse("Write the values after IN in parentheses")
        values = [self._value(_LISTED)[0]]
        while self._take_sign(","):
            values.append(self._value(_LISTED)[0])
            if len(values) > MAX_VALUES:
                self.refuse(f"Write at most {MAX_VALUES} values after IN")
        if not self._take_sign(")"):
            self.refuse("Put commas between the values after IN, and close the parenthesis")
        return Restriction(field, key, "IN", "", is_quoted=True, values=tuple(values))

    def _value(self, bare: re.Pattern[str]) -> tuple[str, bool]:
        """Return a value, and whether it was quoted."""
        self._take(_SPACE)
        quoted = self._quoted()
        if quoted is not None:
            return quoted, True
        value = self._take(bare)
        if not value:
            self.refuse("Write a value there, quoted where it has spaces")
        return value, False

    def _field(self) -> str:
        self._take(_SPACE)
        start = self._at
        field = self._take(_FIELD)
        if not field or field in _WORDS:
            self._at = start
            self.refuse("Write the name of a field")
        return field

    def _key(self) -> str:
        key = self._quoted()
        key = self._take(_KEY) if key is None else key
        if not key:
            self.refuse("Write a key after the dot, quoted where it has spaces")
        return key

    def _quoted(self) -> str | None:
        if self._text[self._at : self._at + 1] not in {'"', "'"}:
            return None
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self.refuse("Close the quotation marks")
        self._at = found.end()
        inner = _ESCAPE.sub(r"\1", found[2])
        if "\0" in inner:
            self.refuse("Leave NUL characters out of the filter")
        return inner

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _take_sign(self, sign: str) -> bool:
        if self._take(_SPACE) is not None and self._text.startswith(sign, self._at):
            self._at += len(sign)
            return True
        return False

    def _take_word(self, word: str) -> bool:
        self._take(_SPACE)
        after = self._text[self._at + len(word) : self._at + len(word) + 1]
        ends = not after or not (after.isalnum() or after in "_.=!<>:,")
        return ends and self._take_sign(word)
