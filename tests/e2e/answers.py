"""What is in the JSON answers of commands."""

from typing import Any


def rows(answer: dict[str, object], field: str) -> list[dict[str, Any]]:
    """Return a list of an answer."""
    listed = answer[field]
    assert isinstance(listed, list)
    return listed


def one(answer: dict[str, object], field: str) -> dict[str, Any]:
    """Return one resource of an answer."""
    found = answer[field]
    assert isinstance(found, dict)
    return found
