"""One good value of each kind, for tests to use and to spoil."""

from datetime import UTC, datetime

from assay_trust import digests, keys
from assay_trust.record import (
    EndorsementRecord,
    EnrolmentRecord,
    Meaning,
    Named,
    SigningRecord,
)

DEPLOYMENT = "6a1de1a2-52a8-4c7c-9f8e-0d7f6f3f2a10"
ANN = "1a2b3c4d-5e6f-4a0b-8c1d-2e3f4a5b6c7d"
BEN = "0b8f4f5e-7f0c-4f55-8a43-2f7cf2a6f0b1"
PAIR = keys.from_private(bytes(range(32)))
OTHER = keys.from_private(bytes(range(32, 64)))
KEY = f"principals/{BEN}/keys/{keys.key_id(PAIR.public)}"
TIME = datetime(2026, 11, 24, 13, 24, 9, tzinfo=UTC)

RECORD = SigningRecord(
    deployment=DEPLOYMENT,
    approval="namespaces/default/approvals/5f2b5c1e-8f7e-5a39-9d0c-6d9f0a4b3c21",
    nonce="ab" * 32,
    subject=Named("namespaces/default/models/fraud/versions/3", digests.sha256(b"manifest")),
    target="namespaces/default/models/fraud/stages/production",
    policies=(
        Named("namespaces/default/policies/bias/versions/1", digests.sha256(b"bias")),
        Named("namespaces/default/policies/two-people/versions/4", digests.sha256(b"two")),
    ),
    meaning=Meaning.APPROVED,
    signer=f"principals/{BEN}",
    key=KEY,
    time=TIME,
    step="validation",
    role="validator",
    evidence_digest=digests.sha256(b"{}"),
    reason_commitment="cd" * 32,
)

ENDORSEMENT = EndorsementRecord(
    deployment=DEPLOYMENT,
    subject=Named(
        f"principals/{ANN}/roles/9c2e1f0a-3b4c-4d5e-8f60-718293a4b5c6", digests.sha256(b"role")
    ),
    nonce="12" * 32,
    signer=f"principals/{BEN}",
    key=KEY,
    time=TIME,
)

ENROLMENT = EnrolmentRecord(
    deployment=DEPLOYMENT,
    principal=f"principals/{BEN}",
    key=KEY,
    public_key=PAIR.public.hex(),
    time=TIME,
    nonce="ef" * 32,
)
