"""Tables fit the terminal: the least telling columns go first, nothing is wider than the room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.cli.tables import GAP, Column, layout

COLUMNS = (
    Column("NAME"),
    Column("STATE", goes=2),
    Column("TAGS", goes=3, least=10),
    Column("CHANGED", goes=1),
)
WIDTHS = (20, 6, 30, 20)


def test_all_columns_are_shown_where_they_fit() -> None:
    assert layout(COLUMNS, WIDTHS, 82) == {0: 20, 1: 6, 2: 30, 3: 20}


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (81, {0: 20, 1: 6, 2: 29, 3: 20}),
        (62, {0: 20, 1: 6, 2: 10, 3: 20}),
        (61, {0: 20, 1: 6, 2: 30}),
        (40, {0: 20, 1: 6, 2: 10}),
        (39, {0: 20, 2: 17}),
        (31, {0: 20}),
        (12, {0: 12}),
    ],
)
def test_cells_are_cut_and_then_columns_go_by_their_turn(room: int, shown: dict[int, int]) -> None:
    assert layout(COLUMNS, WIDTHS, room) == shown


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0, 8, 20]), st.integers(1, 80)),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 200),
)
def test_a_table_is_never_wider_than_the_room_while_anything_can_give_way(
    given_columns: list[tuple[int, int, int]], room: int
) -> None:
    columns = [Column(f"C{i}", goes, least) for i, (goes, least, _) in enumerate(given_columns)]
    widths = [max(width, 2) for _, _, width in given_columns]
    shown = layout(columns, widths, room)
    total = sum(shown.values()) + GAP * (len(shown) - 1)
    stuck = all(not columns[i].goes and width <= 8 for i, width in shown.items())
    assert total <= room or stuck
    assert {i for i, column in enumerate(columns) if not column.goes} <= set(shown)
    assert all(width <= widths[i] for i, width in shown.items())
