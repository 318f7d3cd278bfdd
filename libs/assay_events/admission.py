"""What makes an event count: the same rules in command folds and in projections.

An event that breaks one is skipped by folds and read models, and kept and flagged by the audit
log. A service may publish on its own subjects only (the broker sees to that); these rules catch
what it could still do there. An event that is admitted but cannot be decoded is another matter: it
stops a read model (see `codec`).
"""

import re
from hashlib import sha256

from assay_events.decider import subject
from assay_events.envelope import Recorded, context_of

_SUBJECT_TOKENS = 5  # assay.v1.<context>.<aggregate>.<token>
_MOST_CHARACTERS = 200  # of a subject: what an index of Postgres surely holds
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def defect(recorded: Recorded, previous_digest: bytes, deployment: str) -> str:
    """Return which rule `recorded` breaks, empty for none.

    `previous_digest` is that of the subject's last valid event.
    """
    envelope, stored = recorded.envelope, recorded.stored
    if stored.type != envelope.type:
        return f"its header says {stored.type!r}, its envelope {envelope.type!r}."
    if envelope.aggregate != stored.nats_subject:
        return f"it was written for {envelope.aggregate!r}."
    context = context_of(stored.nats_subject)
    if envelope.source != f"services/{context}":
        return f"its source is {envelope.source!r}."
    if not envelope.type.startswith(f"assay.{context}."):
        return "its type belongs to another context."
    if envelope.deployment != deployment:
        return f"it belongs to deployment {envelope.deployment!r}."
    if envelope.previous_digest != previous_digest:
        return "it does not follow the last valid event of its subject."
    if not _UUID.match(envelope.request_id):
        return "its request id is not a UUID."
    if getattr(recorded.event, "name", envelope.subject) != envelope.subject:
        return f"its envelope is about {envelope.subject!r}."
    if not _fits(envelope.subject, stored.nats_subject):
        return f"{envelope.subject!r} does not belong on this subject."
    return ""


def digest(body: bytes) -> bytes:
    """Return the SHA-256 that the next event of the subject names as `previous_digest`."""
    return sha256(body).digest()


def _fits(resource: str, nats_subject: str) -> bool:
    """Return whether the resource, or one above it, is the aggregate of the subject."""
    tokens = nats_subject.split(".")
    if len(tokens) != _SUBJECT_TOKENS or len(nats_subject) > _MOST_CHARACTERS:
        return False
    pieces = resource.split("/")
    return any(
        subject(tokens[2], tokens[3], "/".join(pieces[:length])) == nats_subject
        for length in range(len(pieces), 0, -2)
    )
