"""docs/signing.md says what is: each field of each record, and the bytes of one example."""

import json
import re
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from assay_trust import canonical
from assay_trust.display import display_text
from assay_trust.record import SigningRecord
from tests.unit.assay_trust.examples import ENDORSEMENT, ENROLMENT, RECORD

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "signing.md").read_text()
VECTOR = json.loads((ROOT / "tests/golden/trust/record.json").read_text())["signing"][0]


def _block(language: str) -> str:
    """Return the page's one block of code in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)\n```", PAGE, re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("record", [RECORD, ENDORSEMENT, ENROLMENT], ids=lambda r: r.v)
def test_the_page_lists_exactly_the_fields_of_a_record(
    record: SigningRecord,
) -> None:
    value = canonical.decode(record.to_bytes())
    assert isinstance(value, dict)
    (table,) = re.findall(rf"\| `v` \| `{record.v}` \|.*?\n\n", PAGE, re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert len(rows) == len(value)
    assert set(rows) == set(value)


def test_the_example_is_the_golden_one() -> None:
    data = _block("json").encode()
    record = SigningRecord.from_bytes(data)
    assert record.to_bytes() == data == VECTOR["canonical"].encode()
    assert _block("text") == display_text(record)
    for name in ("digest", "pae_digest", "private_key", "public_key", "signature"):
        assert f"| `{VECTOR[name]}` |" in PAGE


@pytest.mark.requirement("R2")
def test_the_program_on_the_page_verifies_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("record.json").write_bytes(_block("json").encode())
    exec(compile(_block("python"), "docs/signing.md", "exec"), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out == f"{VECTOR['pae_digest']}\n"


def test_the_program_on_the_page_refuses_another_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("record.json").write_bytes(_block("json").encode().replace(b"approved", b"rejected"))
    with pytest.raises(InvalidSignature):
        exec(compile(_block("python"), "docs/signing.md", "exec"), {})  # noqa: S102 - our own page
