"""What is wrong with a source: with all of it, with one thing in it, or nothing is there."""

from assay.errors import FailedPrecondition

_SHOWN_CHARACTERS = 200


class SourceFailed(FailedPrecondition):
    """The source is away, refuses us or is no MLflow server: nothing more can be read from it."""


class Unusable(FailedPrecondition):
    """One thing in the source cannot be imported as it is; the others can."""


class Absent(Exception):
    """The source says that what was asked for is not there."""


def unusable(message: str) -> Unusable:
    """Return the refusal of one thing in the source."""
    return Unusable(message, reason="SOURCE_UNUSABLE")


def quoted(text: str) -> str:
    """Return text of the source as a message may show it: short, and harmless to a terminal."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in cut)
