"""Whether a grant lets a version in now: every condition of it worked out again, none believed."""

from collections.abc import Mapping
from dataclasses import dataclass

from assay import names
from assay.approval.v1.events_pb2 import ApprovalSigned
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval.domain.counting import Approval
from assay_approval.domain.policies import Policies, governing
from assay_trust.record import SigningRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that wants to enter a stage or alias."""

    target: names.AliasName | names.StageName
    version: names.VersionName
    manifest_digest: str


@dataclass(frozen=True, slots=True)
class KeyLife:
    """From which revision to which a key may sign; `revoked_at` is 0 while it may."""

    public_key: bytes
    enrolled_at: int
    revoked_at: int = 0

    def may_sign_at(self, revision: int) -> bool:
        """Return whether the key was enrolled before, and not revoked before, `revision`."""
        return self.enrolled_at < revision and (not self.revoked_at or self.revoked_at > revision)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a grant rests on: at which revision each signer signed, and how long each key lived."""

    deployment: str
    signed_at: Mapping[str, int]
    keys: Mapping[str, KeyLife]


def is_candidate(approval: Approval, entry: Entry, policies: Policies) -> bool:
    """Return whether the approval is granted, for this entry, under each policy that governs."""
    request = approval.request
    pinned = {_policy(policy.name) for policy in request.policies}
    return (
        approval.state == ApprovalState.APPROVAL_STATE_GRANTED
        and request.target == str(entry.target)
        and request.version == str(entry.version)
        and request.manifest_digest == entry.manifest_digest
        and all(_policy(version.name) in pinned for version in governing(policies, entry.target))
    )


def has_quorum(approval: Approval, policies: Policies, evidence: Evidence) -> bool:
    """Return whether enough people signed, counted again under the policies as they were pinned."""
    pinned = [policies.versions.get(policy.name) for policy in approval.request.policies]
    quorum = approval.request.quorum
    for policy, version in zip(approval.request.policies, pinned, strict=True):
        if version is None or version.digest != policy.digest:
            return False
        quorum = max(quorum, version.spec.quorum)
    signers = {
        signature.signer
        for signature in approval.signatures
        if isinstance(signature, ApprovalSigned) and _holds(signature, evidence)
    }
    return bool(pinned) and len(signers - {approval.request.submitter}) >= quorum


def _holds(signature: ApprovalSigned, evidence: Evidence) -> bool:
    """Return whether the key might sign when it did; that it fits, the fold has checked."""
    life = evidence.keys.get(signature.key)
    if life is None or life.public_key != signature.public_key:
        return False
    is_ours = SigningRecord.from_bytes(signature.record).deployment == evidence.deployment
    return is_ours and life.may_sign_at(evidence.signed_at[signature.signer])


def _policy(version: str) -> str:
    """Return the policy of a version's resource name."""
    return version.rpartition("/versions/")[0]
