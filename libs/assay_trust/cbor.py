"""Where a CBOR item ends, for items as CTAP2 writes them: the gate before a full CBOR parser.

CTAP2 section 8 allows no tags, no indefinite lengths and four levels. Tags are the danger: a
hundred bytes of shared references unfold into gigabytes once a parser has read them.
"""

from enum import IntEnum

from assay_trust.errors import InvalidSignature

_MAX_DEPTH = 4
_MAX_SHORT_ARGUMENT = 23
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}


class _Major(IntEnum):
    """RFC 8949, section 3.1."""

    UNSIGNED = 0
    NEGATIVE = 1
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    TAG = 6
    SIMPLE = 7


def end_of_item(data: bytes, start: int = 0, depth: int = 1) -> int:
    """Return the position after the item at `start`; refuse what CTAP2 does not allow."""
    if start >= len(data):
        raise malformed()
    major = _Major(data[start] >> 5)
    argument, position = _argument(data, start)
    if major in (_Major.UNSIGNED, _Major.NEGATIVE, _Major.SIMPLE):
        return position
    if major in (_Major.BYTES, _Major.TEXT) and position + argument <= len(data):
        return position + argument
    if major in (_Major.ARRAY, _Major.MAP) and depth <= _MAX_DEPTH:
        items = 2 * argument if major is _Major.MAP else argument
        # Each item takes a byte or more, so that a false count ends with the data.
        for _ in range(items):
            position = end_of_item(data, position, depth + 1)
        return position
    raise malformed()


def malformed() -> InvalidSignature:
    """Return the refusal of bytes that no authenticator writes."""
    return InvalidSignature("Send the authenticator's CBOR whole, as it is: this is malformed.")


def _argument(data: bytes, start: int) -> tuple[int, int]:
    """Return the argument in the head of an item, and the position after the head."""
    short, position = data[start] & 0x1F, start + 1
    if short <= _MAX_SHORT_ARGUMENT:
        return short, position
    end = position + _ARGUMENT_BYTES.get(short, len(data))  # indefinite lengths never fit
    if end > len(data):
        raise malformed()
    return int.from_bytes(data[position:end], "big"), end
