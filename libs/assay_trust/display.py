"""What a signer reads before signing: every field of the record, in words."""

from assay_trust.fields import time_text
from assay_trust.record import EndorsementRecord, Meaning, Named, SigningRecord

_VERBS = {
    Meaning.APPROVED: "I approve",
    Meaning.REJECTED: "I reject",
    Meaning.REVIEWED: "I have reviewed the break-glass grant of",
    Meaning.REVOKED: "I revoke the approval of",
}


def display_text(record: SigningRecord | EndorsementRecord) -> str:
    """Return the lines that say all that `record` says; two records never read the same."""
    lines = _endorsement(record) if isinstance(record, EndorsementRecord) else _signing(record)
    return "\n".join(
        [
            *lines,
            f"This holds in deployment {record.deployment} for request {record.nonce} only.",
        ]
    )


def _signing(record: SigningRecord) -> list[str]:
    return [
        f"{_VERBS[record.meaning]} {_named(record.subject)}.",
        f"It is for {_shown(record.target)}.",
        f"The approval is {_shown(record.approval)}.",
        *(f"It is judged under {_named(policy)}." for policy in record.policies),
        _said("It is judged on evidence with digest", record.evidence_digest, "evidence is bound"),
        _said("The step is", record.step, "step is named"),
        _said("I sign in the role", record.role, "role is claimed"),
        _said("The role is lent to me by", record.delegator, "role is lent to me"),
        *_signed(record),
        _said("My reason has the code", record.reason_code, "reason code is given"),
        _said("My reason is bound as", record.reason_commitment, "reason is bound"),
        _printed_name(record),
    ]


def _endorsement(record: EndorsementRecord) -> list[str]:
    return [f"I endorse {_named(record.subject)}.", *_signed(record), _printed_name(record)]


def _signed(record: SigningRecord | EndorsementRecord) -> list[str]:
    return [
        f"I sign as {_shown(record.signer)} with the key {_shown(record.key)}.",
        f"The time is {time_text(record.time)}.",
    ]


def _printed_name(record: SigningRecord | EndorsementRecord) -> str:
    what = record.printed_name_commitment
    return _said("My printed name is bound as", what, "printed name is bound")


def _said(words: str, value: str, missing: str) -> str:
    """Return what a field says; `value` is a slug, a digest, a UUID's name, or empty."""
    return f"{words} {value}." if value else f"No {missing}."


def _named(named: Named) -> str:
    return f"{_shown(named.name)} with digest {named.digest}"


def _shown(name: str) -> str:
    """Return `name` with each character that hides, moves or breaks text written as its number."""
    return "".join(_visible(character) for character in name)


def _visible(character: str) -> str:
    if character.isprintable() and character != "\\":
        return character
    return f"\\u{{{ord(character):x}}}"
