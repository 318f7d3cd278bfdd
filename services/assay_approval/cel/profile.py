"""Which part of CEL a condition may use: variables, functions, and what would cost too much.

The tables are the whole profile: what is not in them is refused when a condition is compiled.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol

from cel_expr_python import cel

from assay_approval.cel.tree import Form, Node, Tree

MAX_EXPRESSION_BYTES = 2048
MAX_SOUGHT = 64  # characters; the library compares each of them at each place
# Work that is repeated, times items, times characters: well below a second.
MAX_COST = 16 * 1024 * 1024

# What conditions may read, and its type; docs/policies.md says what each is.
VARIABLES: Mapping[str, str] = {
    "version.name": "string",
    "version.number": "int",
    "version.semantic_version": "string",
    "version.tags": "map<string,string>",
    "version.params": "map<string,string>",
    "version.metrics": "map<string,double>",
    "version.metrics_by_dataset": "map<string,map<string,double>>",
    "version.size_bytes": "int",
    "version.file_count": "int",
    "version.format.name": "string",
    "version.format.version": "string",
    "version.external": "bool",
    "version.has_signature": "bool",
    "model.tags": "map<string,string>",
    "model.tier": "string",
    "model.owners": "list<string>",
    "model.intended_use": "string",
    "card.purpose": "string",
    "card.limits": "string",
    "card.data": "string",
    "card.metrics": "string",
    "card.ethics": "string",
    "card.licence": "string",
    "card.completeness": "double",
    "scan.verdict": "string",
    "scan.critical": "int",
    "lineage.run": "string",
    "lineage.trainers": "list<string>",
    "lineage.datasets": "list<map<string,string>>",
    "lineage.inputs": "list<string>",
    "attached": "map<string,map<string,string>>",
}
ROOTS = frozenset(name.split(".")[0] for name in VARIABLES)

_MACROS = ("has", "all", "exists", "exists_one", "filter", "map")
_ORDERED = ("int64", "double", "string")
_NUMBERS = ("int64", "double")
# Functions by the library's names, each with the overloads that may be used.
_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "_&&_": ("logical_and",),
    "_||_": ("logical_or",),
    "!_": ("logical_not",),
    "_?_:_": ("conditional",),
    "@not_strictly_false": ("not_strictly_false",),  # what `all` and `exists` are made of
    "_==_": ("equals",),
    "_!=_": ("not_equals",),
    "_<_": tuple(f"less_{kind}" for kind in _ORDERED),
    "_<=_": tuple(f"less_equals_{kind}" for kind in _ORDERED),
    "_>_": tuple(f"greater_{kind}" for kind in _ORDERED),
    "_>=_": tuple(f"greater_equals_{kind}" for kind in _ORDERED),
    "_+_": ("add_int64", "add_double", "add_list"),  # `map` and `filter` are made of add_list
    "_-_": tuple(f"subtract_{kind}" for kind in _NUMBERS),
    "_*_": tuple(f"multiply_{kind}" for kind in _NUMBERS),
    "_/_": tuple(f"divide_{kind}" for kind in _NUMBERS),
    "_%_": ("modulo_int64",),
    "-_": tuple(f"negate_{kind}" for kind in _NUMBERS),
    "_[_]": ("index_list", "index_map"),
    "@in": ("in_list", "in_map"),
    "size": ("size_string", "size_list", "size_map", "string_size", "list_size", "map_size"),
    "contains": ("contains_string",),
    "startsWith": ("starts_with_string",),
    "endsWith": ("ends_with_string",),
    "int": ("string_to_int64",),
    "double": ("string_to_double", "int64_to_double"),
    "string": ("int64_to_string",),
}
_LOGIC = frozenset({"_&&_", "_||_", "!_", "_?_:_", "@not_strictly_false"})
_EQUALITY = frozenset({"_==_", "_!=_"})
_APPEND_CALLS = 4  # the library copies the whole result of `map` and `filter` for each item
_LITERALS_A_CALL = 16
_ACCUMULATOR = "@result"  # the library's name; no expression can spell it


class Result(Protocol):
    """What an expression came to."""

    def type(self) -> object:
        """Return its CEL type."""
        ...

    def value(self) -> object:
        """Return it as Python knows it, an error as its words."""
        ...


class Program(Protocol):
    """An expression that is ready to be evaluated."""

    def eval(self, *, data: Mapping[str, object]) -> Result:
        """Return what it comes to; raise RuntimeError where the library gave up."""
        ...

    def return_type(self) -> object:
        """Return the CEL type of what it comes to."""
        ...

    def serialize(self) -> bytes:
        """Return its checked tree, as cel.expr.CheckedExpr."""
        ...


BOOL: object = cel.Type.BOOL
ERROR: object = cel.Type.ERROR


def program(expression: str) -> Program:
    """Return the expression with its types checked; raise RuntimeError where they are wrong."""
    checked: Program = _environment().compile(expression)
    return checked


def faults(tree: Tree) -> Iterator[tuple[Node, str]]:
    """Yield each place that the types allow and the profile does not, and what to do there."""
    for node, depth in tree.walk():
        match node.form:
            case Form.COMPREHENSION if depth:
                yield node, "take this comprehension out of the other; one may not be in another"
            case Form.COMPREHENSION if node.name in ROOTS:
                yield node, f"give the item another name than {node.name}, which is a variable"
            case Form.MESSAGE:
                yield node, "write a text, number, list or map; messages can't be made"
            case Form.CALL:
                yield from ((node, words) for words in _call_faults(tree, node))
            case _:
                pass


def repeated_work(tree: Tree) -> int:
    """Return how much is done anew for each item of a comprehension, about one a call."""
    return sum(_work(node) for node, depth in tree.walk() if depth)


def longest_literal(tree: Tree) -> int:
    """Return how many items the longest list or map in the expression has."""
    return max(
        (len(node.children) for node, _ in tree.walk() if node.form is Form.LITERAL), default=0
    )


def _work(node: Node) -> int:
    if node.form is Form.LITERAL:
        return 1 + len(node.children) // _LITERALS_A_CALL
    if node.form is not Form.CALL or node.name in _LOGIC:
        return 0
    return _APPEND_CALLS if _accumulates(node) else 1


def _call_faults(tree: Tree, call: Node) -> Iterator[str]:
    """Yield what is wrong with one call: whole lists and maps take long to compare and to join."""
    kinds = [tree.is_scalar(child) for child in call.children]
    if call.name in _EQUALITY and not all(kinds):
        yield "compare texts, numbers or booleans; for lists and maps use size, in or all"
    if call.name == "@in" and not kinds[0]:
        yield "look for a text, number or boolean, not for a list or map"
    if call.name == "_+_" and not all(kinds) and not _accumulates(call):
        yield "add numbers only; lists can't be joined"
    if call.name == "contains" and not _is_short_text(call.children[1]):
        yield f"give contains a text in quotes, of at most {MAX_SOUGHT} characters"


def _is_short_text(node: Node) -> bool:
    return node.form is Form.CONSTANT and len(node.name) <= MAX_SOUGHT


def _accumulates(call: Node) -> bool:
    """Return whether the call is a macro's own, which adds an item to its result."""
    return call.name == "_+_" and call.children[0].name == _ACCUMULATOR


@cache
def _environment() -> "cel.Env":
    """Return the environment that knows the tables above and nothing else."""
    functions = "".join(
        f'    - name: "{name}"\n      overloads: [{", ".join(f"{{id: {id_}}}" for id_ in ids)}]\n'
        for name, ids in _FUNCTIONS.items()
    )
    variables = "".join(
        f'  - name: "{name}"\n    type: "{kind}"\n' for name, kind in VARIABLES.items()
    )
    config = cel.NewEnvConfigFromYaml(
        f"stdlib:\n  include_macros: [{', '.join(_MACROS)}]\n  include_functions:\n{functions}"
        f"variables:\n{variables}"
    )
    return cel.NewEnv(config=config)
