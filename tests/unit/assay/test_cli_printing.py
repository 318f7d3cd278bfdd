"""What the command line prints of others: visible, on its line, drawn to scale."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import cards
from assay.cli.command import Context
from assay.cli.sparklines import sparkline
from assay.cli.visible import brief, one_line, visible, visible_json
from assay.metadata.v1.resources_pb2 import ModelCard


@given(st.text())
def test_nothing_printed_moves_or_hides_what_is_around_it(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in visible(text))
    assert one_line(text).isprintable()


def test_a_text_that_turns_around_is_told_by_its_number() -> None:
    assert visible("evil\u202egnp.exe\x1b[2J") == "evil\\u{202e}gnp.exe\\u{1b}[2J"
    assert one_line("reason\nError: forged") == "reason\\u{a}Error: forged"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_visible_json_means_the_same(value: object) -> None:
    for indent in (None, 2):
        written = visible_json(json.dumps(value, indent=indent, ensure_ascii=False))
        assert json.loads(written) == value
        assert all(c.isprintable() or c == "\n" for c in written)


def test_a_long_text_is_cut_to_one_line() -> None:
    assert brief("a\n  b\tc", 10) == "a b c"
    assert brief("x" * 11, 10) == "x" * 9 + "…"


def test_a_sparkline_rises_from_its_lowest_to_its_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 80) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.9, None, 0.7], 80) == "█ ▁"
    assert sparkline([0.5, 0.5], 80) == "▄▄"
    assert sparkline([None], 80) == ""


def test_a_sparkline_of_many_versions_fits_the_line() -> None:
    rising = sparkline([float(number) for number in range(100_000)], 40)
    assert len(rising) == 40
    assert (rising[0], rising[-1]) == ("▁", "█")
    assert list(rising) == sorted(rising)


@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=50),
    st.integers(-1, 60),
)
def test_a_sparkline_takes_any_numbers(values: list[float | None], width: int) -> None:
    line = sparkline(values, width)
    known = [value for value in values if value is not None]
    assert len(line) <= max(min(width, len(values)), 1)
    assert bool(line) == bool(known)
    if line and len(values) <= width and min(known) < max(known):
        assert math.isclose(line.count(" "), values.count(None))
        assert line[values.index(max(known))] == "█"
        assert line[values.index(min(known))] == "▁"


@pytest.mark.parametrize(
    ("card", "share"),
    [
        (ModelCard(), 0.0),
        (ModelCard(schema=cards.SCHEMA, purpose="x"), 1 / 6),
        (ModelCard(purpose="a", limits="b", data="c", metrics="d", ethics="e", licence="f"), 1.0),
    ],
)
def test_a_card_is_as_complete_as_its_six_parts(card: ModelCard, share: float) -> None:
    assert cards.completeness(card) == share
    assert sorted(cards.filled(card) + cards.missing(card)) == sorted(cards.PARTS)


def context(data: str = "", as_user: str = "", namespace: str = "default") -> Context:
    return Context(data, as_user, namespace, as_json=False)


def test_a_command_to_try_is_quoted_for_the_shell() -> None:
    told = context().command("version", "restore", of=("it's $HOME/3",))
    assert told == """assay version restore 'it'"'"'s $HOME/3'"""


def test_a_name_that_begins_with_a_dash_comes_after_two_dashes() -> None:
    told = context(namespace="risk").command("alias", "holdings", of=("-x", "champion"))
    assert told == "assay alias holdings --namespace risk -- -x champion"


def test_a_command_to_try_acts_as_the_same_user_in_the_same_place() -> None:
    asked = context("my data", "ann", "risk")
    assert asked.command("show", of=("churn/1",)) == (
        "assay show churn/1 --as ann --data 'my data' --namespace risk"
    )
    assert asked.command("login", "--as", "USER") == "assay login --as USER --data 'my data'"
    assert asked.command("approval", "sign", of=("5f2a",), as_user="USER") == (
        "assay approval sign 5f2a --as USER --data 'my data' --namespace risk"
    )


@pytest.mark.parametrize(
    ("given_words", "again"),
    [
        ("version search x", "assay version search x --page T"),
        ("version search --page OLD --count", "assay version search --count --page T"),
        ("version search --page=OLD -- -x", "assay version search --page T -- -x"),
        ("version search -- --page", "assay version search --page T -- --page"),
    ],
)
def test_the_next_page_is_asked_for_by_the_same_command(
    monkeypatch: pytest.MonkeyPatch, given_words: str, again: str
) -> None:
    monkeypatch.setattr("sys.argv", ["assay", *given_words.split()])
    assert context().again("--page", "T") == again
