"""The rules of asking: what may be asked for, and which conditions must be true by when."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from assay.approval.v1.events_pb2 import (
    ApprovalCommented,
    ApprovalRequested,
    EvidenceAttached,
)
from assay.approval.v1.resources_pb2 import Condition, ConditionResult, PolicyRef, PolicySpec
from assay.error.v1.error_reason_pb2 import Reason
from assay_approval.conditions import Inputs, compile_condition
from assay_approval.domain.commands import Attach, Comment, Request
from assay_approval.domain.counting import Approval
from assay_approval.domain.policies import Version
from assay_approval.domain.signing import check_reason, check_reason_code
from assay_approval.domain.state import check_open, existing
from assay_approval.verdict import pinned, quorum_of
from assay_events.decider import AlreadyExists, Invalid, Rejection
from assay_trust.digests import sha256

EVALUATED = ("card", "tags", "state")  # what may change of a version, and conditions rest on
MAX_EVIDENCE_BYTES = 16 * 1024
_TYPE = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_MOST_EVIDENCE = 64


def request(command: Request, state: Approval) -> Sequence[ApprovalRequested]:
    """Open an approval, with what was found and the policies fixed."""
    if state.name:
        raise AlreadyExists(state.name)
    _check(command)
    results = evaluate(command.policies, command.facts.inputs)
    if not command.is_break_glass:
        _check_conditions(command.policies, results)
    evidence = command.facts.inputs.to_bytes()
    requested = ApprovalRequested(
        name=command.name,
        version=str(command.version),
        manifest_digest=command.facts.manifest_digest,
        target=str(command.target),
        policies=[PolicyRef(name=each.name, digest=each.digest) for each in command.policies],
        quorum=_quorum(command),
        submitter=command.submitter,
        nonce=command.nonce,
        registrant=command.facts.registrant,
        trainers=command.facts.trainers,
        evidence=evidence,
        evidence_digest=sha256(evidence),
        conditions=results,
        is_break_glass=command.is_break_glass,
        reason_code=command.reason_code,
        specs=[pinned(each.spec) for each in command.policies],
    )
    seconds = [each.spec.open_seconds for each in command.policies if each.spec.open_seconds]
    if seconds:
        requested.expire_time.FromDatetime(command.at + timedelta(seconds=min(seconds)))
    return [requested]


def comment(command: Comment, state: Approval) -> Sequence[ApprovalCommented]:
    """Keep a remark, on a closed approval too."""
    existing(command.approval, state)
    if not command.text.clear.strip():
        raise Invalid(Reason.REASON_REQUIRED, "Say something: the text is blank.", field="text")
    return [ApprovalCommented(name=state.name, author=command.author, text=command.text)]


def attach(command: Attach, state: Approval) -> Sequence[EvidenceAttached]:
    """Keep evidence, and work out anew the conditions that it may make true."""
    check_open(command.approval, state, command.at)
    if not _TYPE.fullmatch(command.type):
        words = "Name the sort of evidence in lower-case letters, digits and hyphens."
        raise Invalid(Reason.REASON_MALFORMED, words, field="evidence.type")
    if not command.artifact and not command.claims:
        words = "Give the manifest that holds the evidence, or claims."
        raise Invalid(Reason.REASON_REQUIRED, words, field="evidence.artifact")
    if len(state.evidence) >= _MOST_EVIDENCE:
        words = f"Ask anew: an approval takes {_MOST_EVIDENCE} pieces of evidence."
        raise Rejection(Reason.REASON_TOO_LARGE, words)
    attached = EvidenceAttached(
        name=state.name,
        type=command.type,
        artifact=command.artifact,
        claims=command.claims,
        attacher=command.attacher,
    )
    inputs = Inputs.from_bytes(state.request.evidence)
    inputs = inputs.with_attached(claims_of((*state.evidence, attached)))
    attached.conditions.extend(evaluate(command.policies, inputs, only_following=True))
    return [attached]


def claims_of(evidence: Iterable[EvidenceAttached]) -> Mapping[str, Mapping[str, str]]:
    """Return the claims by sort of evidence; of two of one sort the later one holds."""
    return {each.type: dict(each.claims) for each in evidence}


def _check(command: Request) -> None:
    if command.version.parent != command.target.parent:
        words = "Name a stage or alias of the version's own model."
        raise Invalid(Reason.REASON_MALFORMED, words, field="approval.target")
    if not command.facts.manifest_digest:
        words = f"Give {command.version} its files first: an approval covers their digest."
        raise Rejection(Reason.REASON_MANIFEST_MISSING, words, version=str(command.version))
    if command.facts.is_archived:
        words = "Request an approval of a version that is not archived."
        raise Rejection(Reason.REASON_VERSION_ARCHIVED, words, version=str(command.version))
    if not command.policies:
        words = "Move it without an approval: no policy governs this target."
        raise Rejection(Reason.REASON_NOT_GOVERNED, words, target=str(command.target))
    if command.facts.review_due:
        words = f"Review the break-glass grant {command.facts.review_due} first."
        raise Rejection(Reason.REASON_REVIEW_DUE, words, approval=command.facts.review_due)
    if len(command.facts.inputs.to_bytes()) > MAX_EVIDENCE_BYTES:
        words = (
            f"Shorten what the version carries: the evidence is over {MAX_EVIDENCE_BYTES} bytes."
        )
        raise Invalid(Reason.REASON_TOO_LARGE, words, field="approval.version")
    if command.is_break_glass:
        _check_break_glass(command)
    elif command.reason_code:
        words = "Give a reason code with break-glass only: other requests bear none."
        raise Invalid(Reason.REASON_BAD_REASON_CODE, words, field="reason_code")


def _check_break_glass(command: Request) -> None:
    check_reason(command.reason)
    for policy in command.policies:
        if not policy.spec.HasField("break_glass"):
            words = f"Ask without break-glass: {policy.name} knows no way past its steps."
            raise Rejection(Reason.REASON_NOT_ALLOWED, words, policy=policy.name)
    specs = (policy.spec for policy in command.policies)
    check_reason_code(command.reason_code, specs, field="reason_code")


def _check_conditions(policies: Iterable[Version], results: Iterable[ConditionResult]) -> None:
    may_follow = {
        _name(policy, condition)
        for policy in policies
        for condition in policy.spec.conditions
        if condition.may_follow
    }
    unmet = [r for r in results if not r.is_satisfied and r.name not in may_follow]
    if unmet:
        told = "; ".join(f"{each.name.rpartition('/')[2]}: {each.detail}" for each in unmet)
        raise Rejection(
            Reason.REASON_CONDITION_UNMET,
            f"Meet what the policy asks of the version first. {told}",
            conditions=",".join(each.name for each in unmet),
        )


def evaluate(
    policies: Iterable[Version], inputs: Inputs, *, only_following: bool = False
) -> list[ConditionResult]:
    """Return what each condition comes to."""
    results = list[ConditionResult]()
    for policy in policies:
        for condition in policy.spec.conditions:
            if only_following and not condition.may_follow:
                continue
            verdict = compile_condition(condition.id, condition.expression).evaluate(inputs)
            results.append(
                ConditionResult(
                    name=_name(policy, condition),
                    is_satisfied=verdict.satisfied,
                    detail=verdict.detail,
                )
            )
    return results


def _name(policy: Version, condition: Condition) -> str:
    return f"{policy.name}/conditions/{condition.id}"


def _quorum(command: Request) -> int:
    specs: Iterable[PolicySpec] = (each.spec for each in command.policies)
    return max(quorum_of(spec, is_break_glass=command.is_break_glass) for spec in specs)
