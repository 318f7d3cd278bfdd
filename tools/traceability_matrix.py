"""Which requirement is proven by which tests: read from the list, and from how the tests ended."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

ROW = re.compile(r"\| *([A-Z]\d+(?:\.\d+)?) *\| *(.+?) *\| *(.+?) *\|")


class Requirement(NamedTuple):
    """What must be true, and which rules ask for it."""

    name: str
    text: str
    source: str

    @property
    def order(self) -> tuple[str, list[int]]:
        """Return what puts A2 before A10, and A2.1 in between."""
        return self.name[0], [int(number) for number in self.name[1:].split(".")]


class Ended(NamedTuple):
    """One run of a test: one case of it, where it is parametrised."""

    test: str
    requirements: Sequence[str]
    outcome: str

    @property
    def function(self) -> str:
        """Return the test without its case."""
        return self.test.partition("[")[0]


class Row(NamedTuple):
    """A requirement, the tests that name it with the outcomes of their cases, and the verdict."""

    requirement: Requirement
    tests: Mapping[str, Sequence[str]]
    state: str

    def line(self) -> str:
        """Return id, text, tests and state, with tabs between them."""
        name, text, _ = self.requirement
        return "\t".join([name, text, ",".join(self.tests), self.state])


def read(page: str) -> list[Requirement]:
    """Return the requirements in the tables of a page, sorted by id."""
    found = [Requirement(*row.groups()) for row in map(ROW.fullmatch, page.splitlines()) if row]
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"Give each requirement an id of its own: {', '.join(twice)} comes twice.")
    return sorted(found, key=lambda one: one.order)


def unknown(requirements: Iterable[Requirement], ended: Iterable[Ended]) -> list[str]:
    """Return a sentence for each test that names what is not on the list."""
    known = {one.name for one in requirements}
    return sorted(
        {
            f"{one.function} names {name}, which is not on the list of requirements."
            for one in ended
            for name in set(one.requirements) - known
        }
    )


def matrix(requirements: Sequence[Requirement], ended: Iterable[Ended]) -> list[Row]:
    """Return a row for each requirement.

    It passed if it has a test, each case of its tests passed, and so did each of its parts, as A2.1
    is one of A2. What has parts needs no test beside theirs.
    """
    tests: dict[str, dict[str, list[str]]] = {one.name: {} for one in requirements}
    for one in sorted(ended):
        for name in one.requirements:
            tests[name].setdefault(one.function, []).append(one.outcome)
    return [Row(one, tests[one.name], _state(one.name, tests)) for one in requirements]


def _state(name: str, tests: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    states = {_own_state(tests[part]) for part in tests if part.startswith(f"{name}.")}
    if tests[name] or not states:
        states.add(_own_state(tests[name]))
    return next(state for state in ("failed", "no test", "passed") if state in states)


def _own_state(tests: Mapping[str, Sequence[str]]) -> str:
    outcomes = {outcome for cases in tests.values() for outcome in cases}
    if not outcomes:
        return "no test"
    return "passed" if outcomes == {"passed"} else "failed"
