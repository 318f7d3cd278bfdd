"""What the signer reads says all that is signed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from assay_trust.display import display_text
from assay_trust.record import EndorsementRecord, Meaning, Named, SigningRecord
from tests.unit.assay_trust.examples import ANN, BEN, DEPLOYMENT, ENDORSEMENT, RECORD

MODEL = "namespaces/default/models"
OTHERS = [
    replace(RECORD, deployment=DEPLOYMENT.replace("6", "7")),
    replace(RECORD, approval="namespaces/default/approvals/other"),
    replace(RECORD, nonce="00" * 32),
    replace(RECORD, subject=Named(f"{MODEL}/fraud/versions/4", RECORD.subject.digest)),
    replace(RECORD, subject=Named(RECORD.subject.name, "sha256:" + "0" * 64)),
    replace(RECORD, target=f"{MODEL}/fraud/stages/canary"),
    replace(RECORD, policies=RECORD.policies[1:]),
    replace(RECORD, policies=()),
    replace(RECORD, meaning=Meaning.REJECTED),
    replace(RECORD, meaning=Meaning.REVIEWED),
    replace(RECORD, meaning=Meaning.REVOKED),
    replace(RECORD, step=""),
    replace(RECORD, step="sign-off"),
    replace(RECORD, role=""),
    replace(RECORD, role="owner"),
    replace(RECORD, delegator=f"principals/{ANN}"),
    replace(RECORD, evidence_digest=""),
    replace(RECORD, evidence_digest=RECORD.subject.digest),
    replace(RECORD, reason_code="drifts"),
    replace(RECORD, key=f"principals/{BEN}/keys/other"),
    replace(RECORD, time=RECORD.time + timedelta(seconds=1)),
    replace(RECORD, reason_commitment=""),
    replace(RECORD, printed_name_commitment=RECORD.reason_commitment),
]
OTHER_ENDORSEMENTS = [
    replace(ENDORSEMENT, deployment=DEPLOYMENT.replace("6", "7")),
    replace(ENDORSEMENT, nonce="00" * 32),
    replace(ENDORSEMENT, subject=Named(f"principals/{BEN}/keys/1", ENDORSEMENT.subject.digest)),
    replace(ENDORSEMENT, subject=Named(ENDORSEMENT.subject.name, RECORD.subject.digest)),
    replace(ENDORSEMENT, key=f"principals/{BEN}/keys/other"),
    replace(ENDORSEMENT, time=ENDORSEMENT.time + timedelta(seconds=1)),
    replace(ENDORSEMENT, printed_name_commitment="cd" * 32),
]


@pytest.mark.parametrize("other", OTHERS)
def test_another_record_reads_differently(other: SigningRecord) -> None:
    assert display_text(other) != display_text(RECORD)


@pytest.mark.parametrize("other", OTHER_ENDORSEMENTS)
def test_another_endorsement_reads_differently(other: EndorsementRecord) -> None:
    assert display_text(other) != display_text(ENDORSEMENT)


def test_the_first_line_says_what_is_signed() -> None:
    first = display_text(RECORD).splitlines()[0]
    assert first == f"I approve {RECORD.subject.name} with digest {RECORD.subject.digest}."

    first = display_text(ENDORSEMENT).splitlines()[0]
    endorsed = ENDORSEMENT.subject
    assert first == f"I endorse {endorsed.name} with digest {endorsed.digest}."


def test_a_name_cannot_hide_turn_or_break_the_text() -> None:
    name = f"{MODEL}/a\u202eb\u2028c\u00a0d\\e/versions/1"
    record = replace(RECORD, subject=Named(name, RECORD.subject.digest))
    shown = display_text(record)
    assert f"{MODEL}/a\\u{{202e}}b\\u{{2028}}c\\u{{a0}}d\\u{{5c}}e/versions/1" in shown
    assert len(shown.splitlines()) == len(display_text(RECORD).splitlines())
