"""Whether a grant lets a version in now: every condition of it worked out again, none believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from assay import names
from assay.approval.v1.events_pb2 import ApprovalRequested, BreakGlassReviewed
from assay.approval.v1.resources_pb2 import ApprovalState
from assay_approval.conditions import Inputs
from assay_approval.domain.counting import Approval, act_of
from assay_approval.domain.policies import Policies, Target, Version, governing
from assay_approval.domain.requesting import claims_of, evaluate
from assay_approval.domain.signing import CLOCK_TOLERANCE
from assay_approval.signatures import SignatureEvent, record_of
from assay_approval.verdict import People, count, pinned, valid_seconds
from assay_trust.errors import TrustError


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that wants to enter a stage or alias."""

    target: Target
    version: names.VersionName
    manifest_digest: str


class KeyLife(Protocol):
    """From when to when a key may sign."""

    @property
    def public_key(self) -> bytes:
        """The key itself."""
        ...

    def may_sign_at(self, revision: int) -> bool:
        """Return whether the key was enrolled before `revision`, and not revoked before it."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a grant rests on: when each signer signed, how long each key lived, who had which role.

    `people` are as they were when it was granted, at `granted_at`.
    """

    deployment: str
    granted_at: datetime
    signed_at: Mapping[str, int]
    keys: Mapping[str, KeyLife]
    people: People


def is_candidate(approval: Approval, entry: Entry, policies: Policies, at: datetime) -> bool:
    """Return whether the approval is granted, for this entry, under each policy that governs."""
    request = approval.request
    pinned_policies = {_policy(policy.name) for policy in request.policies}
    return (
        approval.state == ApprovalState.APPROVAL_STATE_GRANTED
        and not approval.has_ended(at)
        and request.target == str(entry.target.name)
        and request.version == str(entry.version)
        and request.manifest_digest == entry.manifest_digest
        and all(_policy(each.name) in pinned_policies for each in governing(policies, entry.target))
    )


def is_earned(approval: Approval, policies: Policies, evidence: Evidence) -> bool:
    """Return whether enough people signed, counted again under the policies as they were pinned."""
    versions = _pinned(approval, policies)
    if not versions or not _are_met(approval, versions):
        return False
    if not _ends_in_time(approval, versions, evidence.granted_at):
        return False
    request = ApprovalRequested()
    request.CopyFrom(approval.request)
    del request.specs[:]
    request.specs.extend(pinned(version.spec) for version in versions)
    acts = [act_of(each) for each in approval.signatures if _holds(each, evidence)]
    return count(request, acts, evidence.people).is_complete


def _pinned(approval: Approval, policies: Policies) -> Sequence[Version]:
    """Return the policies under which it was asked for, nothing where one is not what it was."""
    found = [policies.versions.get(policy.name) for policy in approval.request.policies]
    versions = [version for version in found if version is not None]
    digests = [version.digest for version in versions]
    if digests != [policy.digest for policy in approval.request.policies]:
        return []
    return versions


def _ends_in_time(approval: Approval, versions: Sequence[Version], granted_at: datetime) -> bool:
    """Return whether the grant says no later end than its policies let it have."""
    specs = [version.spec for version in versions]
    valid = valid_seconds(specs, is_break_glass=approval.request.is_break_glass)
    if not valid:
        return True
    latest = granted_at + timedelta(seconds=valid) + CLOCK_TOLERANCE
    return approval.ends is not None and approval.ends <= latest


def _are_met(approval: Approval, versions: Sequence[Version]) -> bool:
    """Return whether each condition is true of what the signatures cover and what was attached."""
    if approval.request.is_break_glass or not any(v.spec.conditions for v in versions):
        return True
    try:
        inputs = Inputs.from_bytes(approval.request.evidence)
        inputs = inputs.with_attached(claims_of(approval.evidence))
    except (TrustError, ValueError):
        return False
    return all(result.is_satisfied for result in evaluate(versions, inputs))


def _holds(signature: SignatureEvent, evidence: Evidence) -> bool:
    """Return whether the key might sign when it did; that it fits, the fold has checked."""
    life = evidence.keys.get(signature.key)
    if life is None or life.public_key != signature.public_key:
        return False
    if isinstance(signature, BreakGlassReviewed):
        return False
    is_ours = record_of(signature.record).deployment == evidence.deployment
    return is_ours and life.may_sign_at(evidence.signed_at[signature.signer])


def _policy(version: str) -> str:
    """Return the policy of a version's resource name."""
    return version.rpartition("/versions/")[0]
