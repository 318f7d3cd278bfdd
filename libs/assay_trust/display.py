"""What a signer reads before signing: every field of the record, in words."""

from assay_trust.fields import time_text
from assay_trust.record import Meaning, Named, SigningRecord

_VERBS = {
    Meaning.APPROVED: "I approve",
    Meaning.REJECTED: "I reject",
    Meaning.REVOKED: "I revoke the approval of",
}


def display_text(record: SigningRecord) -> str:
    """Return the lines that say all that `record` says; two records never read the same."""
    lines = [
        f"{_VERBS[record.meaning]} {_named(record.subject)}.",
        f"It is for {_shown(record.target)}.",
        f"The approval is {_shown(record.approval)}.",
        *(f"It is judged under {_named(policy)}." for policy in record.policies),
        f"I sign as {_shown(record.signer)} with the key {_shown(record.key)}.",
        f"The time is {time_text(record.time)}.",
        _committed("reason", record.reason_commitment),
        _committed("printed name", record.printed_name_commitment),
        f"This holds in deployment {record.deployment} for request {record.nonce} only.",
    ]
    return "\n".join(lines)


def _named(named: Named) -> str:
    return f"{_shown(named.name)} with digest {named.digest}"


def _committed(what: str, commitment: str) -> str:
    return f"My {what} is bound as {commitment}." if commitment else f"No {what} is bound."


def _shown(name: str) -> str:
    """Return `name` with each character that hides, moves or breaks text written as its number."""
    return "".join(_visible(character) for character in name)


def _visible(character: str) -> str:
    if character.isprintable() and character != "\\":
        return character
    return f"\\u{{{ord(character):x}}}"
