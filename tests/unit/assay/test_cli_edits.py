"""Labels and owners are set and removed on what is there, however often others write between."""

import pytest

from assay.cli import edits
from assay.cli.edits import Edit, read_and_write
from assay.errors import Aborted, Invalid


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edits, "_FIRST_DELAY_SECONDS", 0.0)


def test_an_edit_touches_only_what_it_names() -> None:
    edit = Edit({"b": "2", "c": "3"}, untag=["a", "unknown"], owners=["eve"], disown=["ann"])
    assert edit.tags_after({"a": "1", "b": "1", "d": "4"}) == {"b": "2", "c": "3", "d": "4"}
    assert edit.owners_after(["ann", "bob", "eve"]) == ["bob", "eve"]


def test_what_is_set_and_removed_at_once_is_removed() -> None:
    assert Edit({"a": "1"}, untag=["a"]).tags_after({}) == {}


class Resource:
    """A resource that others write to before each of the first writes."""

    def __init__(self, others: int, reason: str = "ETAG_MISMATCH") -> None:
        self.reason, self.left, self.revision, self.writes = reason, others, 0, 0

    def read(self) -> int:
        return self.revision

    def write(self, read: int) -> str:
        self.writes += 1
        if self.left:
            self.left -= 1
            self.revision += 1
        if read != self.revision:
            raise Aborted("Read it again.", reason=self.reason)
        return f"written on {read}"


def test_an_edit_begins_again_on_what_others_wrote() -> None:
    resource = Resource(others=3)
    assert read_and_write(resource.read, resource.write, is_pinned=False) == "written on 3"


def test_an_edit_gives_up_at_last() -> None:
    resource = Resource(others=1000)
    with pytest.raises(Aborted):
        read_and_write(resource.read, resource.write, is_pinned=False)
    assert resource.writes < 20


@pytest.mark.parametrize(("reason", "is_pinned"), [("ETAG_MISMATCH", True), ("LOST_RACE", False)])
def test_a_named_etag_and_any_other_refusal_are_final(reason: str, is_pinned: bool) -> None:
    resource = Resource(others=1, reason=reason)
    with pytest.raises(Aborted):
        read_and_write(resource.read, resource.write, is_pinned=is_pinned)
    assert resource.writes == 1


def test_an_update_of_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="Say what to change: --tag"):
        edits.require_something([], "--tag")
