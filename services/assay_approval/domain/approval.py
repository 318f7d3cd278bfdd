"""The rules of an approval: asked for once, signed by others, granted at quorum, or taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, assert_never

from assay import names
from assay.approval.v1.events_pb2 import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalRevoked,
    ApprovalSigned,
)
from assay.approval.v1.resources_pb2 import ApprovalState, PolicyRef
from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain.counting import Approval, Event, counts, evolve
from assay_approval.domain.policies import Version
from assay_approval.domain.signing import (
    Signing,
    bad_signature,
    check_reason,
    check_signer,
    read_record,
)
from assay_events.decider import AlreadyExists, Decider, Forbidden, Invalid, NotFound, Rejection
from assay_trust.digests import sha256
from assay_trust.display import display_text

MAX_EVIDENCE_BYTES = 16 * 1024
_SignatureT = TypeVar("_SignatureT", ApprovalSigned, ApprovalRejected)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the metadata service says of the version, fresh."""

    manifest_digest: str
    registrant: str
    is_archived: bool
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for `version` to be let into `target`; `policies` are those that govern it now."""

    name: str
    version: names.VersionName
    target: names.AliasName | names.StageName
    submitter: str
    nonce: str
    facts: Facts
    policies: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign that the version may enter."""

    approval: str
    signing: Signing


@dataclass(frozen=True, slots=True)
class Reject:
    """Sign that the version may not enter."""

    approval: str
    signing: Signing


@dataclass(frozen=True, slots=True)
class Revoke:
    """Take the grant back."""

    approval: str
    kind: ActorKind.ValueType
    reason: PersonalText


Command: TypeAlias = Request | Sign | Reject | Revoke


def decide(command: Command, state: Approval) -> Sequence[Event]:
    """Return the facts that `command` brings about; raise a Refusal if a rule forbids it."""
    match command:
        case Request():
            return _request(command, state)
        case Sign():
            return _sign(command, state)
        case Reject():
            return _reject(command, state)
        case Revoke():
            return _revoke(command, state)
    assert_never(command)


def check_may_sign(approval: str, signing_as: str, state: Approval) -> None:
    """Refuse a signer whom this approval does not take, or takes no more."""
    if not state.name:
        raise NotFound(approval, "Request the approval before signing it.")
    if signing_as == state.request.submitter:
        raise Forbidden(
            Reason.REASON_SELF_APPROVAL,
            "Ask another person to sign: who submitted the approval may not.",
            signer=signing_as,
        )
    if signing_as in state.signers:
        raise Rejection(
            Reason.REASON_ALREADY_SIGNED,
            "Ask another person to sign: you have signed this approval already.",
            signer=signing_as,
        )
    if not state.is_open:
        words = f"Request a new approval: this one is {_word(state)}."
        raise Rejection(Reason.REASON_NOT_OPEN, words, state=_word(state))


def _request(command: Request, state: Approval) -> Sequence[Event]:
    if state.name:
        raise AlreadyExists(state.name)
    if command.version.parent != command.target.parent:
        words = "Name a stage or alias of the version's own model."
        raise Invalid(Reason.REASON_MALFORMED, words, field="approval.target")
    if command.facts.is_archived:
        words = "Request an approval of a version that is not archived."
        raise Rejection(Reason.REASON_VERSION_ARCHIVED, words, version=str(command.version))
    if not command.policies:
        words = "Move it without an approval: no policy governs this target."
        raise Rejection(Reason.REASON_NOT_GOVERNED, words, target=str(command.target))
    if len(command.facts.evidence) > MAX_EVIDENCE_BYTES:
        words = (
            f"Shorten what the version carries: the evidence is over {MAX_EVIDENCE_BYTES} bytes."
        )
        raise Invalid(Reason.REASON_TOO_LARGE, words, field="approval.version")
    requested = ApprovalRequested(
        name=command.name,
        version=str(command.version),
        manifest_digest=command.facts.manifest_digest,
        target=str(command.target),
        policies=[PolicyRef(name=each.name, digest=each.digest) for each in command.policies],
        quorum=max(each.spec.quorum for each in command.policies),
        submitter=command.submitter,
        nonce=command.nonce,
        registrant=command.facts.registrant,
        evidence=command.facts.evidence,
    )
    return [requested]


def _sign(command: Sign, state: Approval) -> Sequence[Event]:
    signed = _signature(ApprovalSigned(), command, state)
    if len(state.signatures) + 1 < state.request.quorum:
        return [signed]
    granted = ApprovalGranted(
        name=state.name,
        version=state.request.version,
        manifest_digest=state.request.manifest_digest,
        target=state.request.target,
        signers=[*state.signers, signed.signer],
    )
    return [signed, granted]


def _reject(command: Reject, state: Approval) -> Sequence[Event]:
    check_reason(command.signing.reason)
    return [_signature(ApprovalRejected(), command, state)]


def _revoke(command: Revoke, state: Approval) -> Sequence[Event]:
    if not state.name:
        raise NotFound(command.approval)
    if command.kind != ActorKind.ACTOR_KIND_HUMAN:
        words = "Let a person revoke the approval."
        raise Forbidden(Reason.REASON_HUMAN_REQUIRED, words)
    check_reason(command.reason)
    if state.state != ApprovalState.APPROVAL_STATE_GRANTED:
        words = f"Revoke approvals that are granted; this one is {_word(state)}."
        raise Rejection(Reason.REASON_NOT_GRANTED, words, state=_word(state))
    revoked = ApprovalRevoked(
        name=state.name,
        version=state.request.version,
        target=state.request.target,
        previous_state=state.state,
    )
    return [revoked]


def _signature(event: _SignatureT, command: Sign | Reject, state: Approval) -> _SignatureT:
    """Return `event` filled with a signature that holds and covers this approval."""
    signing = command.signing
    check_signer(signing.signer)
    check_may_sign(command.approval, signing.signer.name, state)
    record = read_record(signing)
    event.name = state.name
    event.signer = record.signer
    event.key = record.key
    event.public_key = signing.signer.keys[record.key]
    event.record = signing.record
    event.signature = signing.signature
    event.printed_name.CopyFrom(signing.printed_name)
    event.display_digest = sha256(display_text(record).encode())
    if not counts(state, event):
        raise bad_signature(
            "Sign what PrepareSignature gives for this approval; the signature does not fit it."
        )
    return event


def _word(state: Approval) -> str:
    """Return the state in a word: `open`."""
    return ApprovalState.Name(state.state).removeprefix("APPROVAL_STATE_").lower()


APPROVAL: Decider[Command, Approval, Event] = Decider(
    context="approval",
    aggregate="approval",
    initial=Approval(),
    decide=decide,
    evolve=evolve,
    events=(
        ApprovalRequested,
        ApprovalSigned,
        ApprovalRejected,
        ApprovalGranted,
        ApprovalRevoked,
    ),
)
