"""Canonical JSON: what is refused, and with which words."""

import pytest

from assay_trust import canonical
from assay_trust.canonical import Value
from assay_trust.errors import NotCanonical


def _nested(depth: int) -> Value:
    value: Value = "leaf"
    for _ in range(depth):
        value = [value]
    return value


def test_keys_are_sorted_and_blanks_left_out() -> None:
    assert canonical.encode({"b": ["x", True], "a_1": {}}) == b'{"a_1":{},"b":["x",true]}'


def test_only_quotes_backslashes_and_control_characters_are_escaped() -> None:
    text = '"\\/\b\f\n\r\t\x00\x1f\x7f\u20ac\u2028\U0001f600'
    expected = '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\u20ac\u2028\U0001f600"'
    assert canonical.encode(text) == expected.encode()


@pytest.mark.parametrize("depth", [1, canonical.MAX_DEPTH])
def test_nesting_up_to_the_limit_is_accepted(depth: int) -> None:
    assert canonical.decode(canonical.encode(_nested(depth))) == _nested(depth)


def test_deeper_nesting_is_refused_both_ways() -> None:
    with pytest.raises(NotCanonical, match="16 deep"):
        canonical.encode(_nested(canonical.MAX_DEPTH + 1))
    with pytest.raises(NotCanonical, match="16 deep"):
        canonical.decode(b"[" * 17 + b"]" * 17)
    with pytest.raises(NotCanonical, match="16 deep"):
        canonical.decode(b"[" * 30_000 + b"]" * 30_000)


def test_bytes_past_the_size_limit_are_refused_both_ways() -> None:
    just = canonical.encode("x" * (canonical.MAX_BYTES - 2))
    assert canonical.decode(just) == "x" * (canonical.MAX_BYTES - 2)
    with pytest.raises(NotCanonical, match="65536 bytes"):
        canonical.encode("x" * (canonical.MAX_BYTES - 1))
    with pytest.raises(NotCanonical, match="65536 bytes"):
        canonical.decode(b'"' + b"x" * canonical.MAX_BYTES + b'"')


def test_a_caller_may_set_another_size_limit() -> None:
    long = "x" * canonical.MAX_BYTES
    data = canonical.encode(long, max_bytes=2 * canonical.MAX_BYTES)
    assert canonical.decode(data, max_bytes=2 * canonical.MAX_BYTES) == long
    with pytest.raises(NotCanonical, match="within 9 bytes"):
        canonical.decode(b'"12345678"', max_bytes=9)


@pytest.mark.parametrize(
    "value", [None, 1, 1.5, b"", b"x", bytearray(), {"a": None}, {1: "x"}, {"a"}]
)
def test_other_python_values_have_no_canonical_form(value: Value) -> None:
    with pytest.raises(NotCanonical):
        canonical.encode(value)


@pytest.mark.parametrize("key", ["", "A", "a-b", "a b", "é", "a\n"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(NotCanonical, match="Name keys"):
        canonical.encode({key: "x"})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"a":"x","a":"x"}', "once"),
        (b'{"a":1}', "decimal strings"),
        (b'{"a":NaN}', "decimal strings"),
        (b'{"a":-0.0}', "decimal strings"),
        (b"9" * 10_000, "decimal strings"),
        (b'{"a":null}', "only objects"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b'"\\ud800"', "surrogates"),
        (b'"e\xcc\x81"', "NFC"),
        (b"\xef\xbb\xbf{}", "well-formed"),
        (b"", "well-formed"),
        (b"{}{}", "well-formed"),
        (b'"\n"', "well-formed"),
        (b"{} ", "canonical form"),
        (b"{}\n", "canonical form"),
        (b'"\\u0041"', "canonical form"),
        (b'"\\u001F"', "canonical form"),
        (b'"\\u000a"', "canonical form"),
        (b'"\\/"', "canonical form"),
        (b'{"b":"","a":""}', "canonical form"),
        (b'{"a": ""}', "canonical form"),
    ],
)
def test_other_spellings_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(NotCanonical, match=words):
        canonical.decode(data)
