"""The gate before the CBOR parser: what CTAP2 allows passes, bombs do not."""

import cbor2
import pytest

from assay_trust import cbor
from assay_trust.errors import InvalidSignature

ITEMS = [0, 23, 24, 255, 2**16, 2**32, 2**64 - 1, -1, -(2**40), b"", b"a" * 300, "é", [], {}]
NESTED = [[1, [2, [3, [4]]]], {"a": {"b": {"c": {}}}}, True, None, 1.5, {"fmt": "none", 1: b""}]
REFUSED = {
    "nothing": "",
    "a cut head": "18",
    "a cut long head": "1b00000000000000",
    "a cut text": "6261",
    "a cut array": "8201",
    "a cut map": "a101",
    "a count beyond the data": "9bffffffffffffffff01",
    "a length beyond the data": "5bffffffffffffffff01",
    "a tag": "c000",
    "a shared value": "d81c8101",
    "a reference": "d81d00",
    "a big number": "c24101",
    "a regular expression": "d8236161",
    "five levels": "818181818101",
    "five levels of maps": "a101a101a101a101a10101",
    "bytes of no told length": "5f4101ff",
    "an array of no told length": "9f01ff",
    "a map of no told length": "bf0101ff",
    "a break": "ff",
    "a reserved head": "1c",
}


@pytest.mark.parametrize("value", [*ITEMS, *NESTED])
def test_an_item_ends_where_its_bytes_end(value: object) -> None:
    data = cbor2.dumps(value)
    assert cbor.end_of_item(data) == len(data)
    assert cbor.end_of_item(b"\0" + data + b"\0", 1) == len(data) + 1


@pytest.mark.parametrize("name", REFUSED)
def test_what_ctap2_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(InvalidSignature, match="malformed"):
        cbor.end_of_item(bytes.fromhex(REFUSED[name]))
