"""People with keys, and what they ask and sign: the material of the tests of approvals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from assay import names
from assay.approval.v1.events_pb2 import ApprovalGranted, ApprovalRequested, ApprovalSigned
from assay.approval.v1.resources_pb2 import PolicySpec
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.conditions import Inputs
from assay_approval.domain.approval import APPROVAL
from assay_approval.domain.commands import Facts, Reject, Request, Sign
from assay_approval.domain.counting import Event
from assay_approval.domain.policies import Version
from assay_approval.domain.signing import Signer, Signing
from assay_approval.signatures import policy_digest
from assay_approval.verdict import Act
from assay_trust import dsse, keys, personal
from assay_trust.keys import KeyPair
from assay_trust.record import SIGNATURE_TYPE, Meaning, Named, SigningRecord

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEPLOYMENT = "0d9a3a0e-3c0f-4a55-8f3a-000000000001"
DIGEST = "sha256:" + "ab" * 32
VERSION = names.VersionName("default", "churn", 3)
TARGET = names.StageName("default", "churn", "production")
APPROVAL_NAME = "namespaces/default/approvals/5f2a0000-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key of their own; equal words make the same person every time."""

    word: str
    key_number: int = 0
    pair: KeyPair = field(init=False)

    def __post_init__(self) -> None:
        seed = keys.from_private((self.word.encode() * 32)[:31] + bytes([self.key_number]))
        object.__setattr__(self, "pair", seed)

    @property
    def name(self) -> str:
        return f"principals/{uuid5(UUID(int=0), self.word)}"

    @property
    def key(self) -> str:
        return f"{self.name}/keys/{keys.key_id(self.pair.public)}"

    @property
    def signer(self) -> Signer:
        human = ActorKind.ACTOR_KIND_HUMAN
        return Signer(
            name=self.name,
            accounts=frozenset({self.name}),
            kind=human,
            is_owner=False,
            printed_name=self.word.title(),
            keys={self.key: self.pair.public},
        )


ANN, BOB, EVE, DAN = Person("ann"), Person("bob"), Person("eve"), Person("dan")
ROLE = "validator"


@dataclass(frozen=True, slots=True)
class Roster:
    """People who have roles everywhere; of those in `same` each pair is one person."""

    roles: frozenset[tuple[str, str, str]] = frozenset()
    same: Mapping[str, str] = field(default_factory=dict)

    def person(self, principal: str) -> str:
        return self.same.get(principal, principal)

    def may_sign(self, act: Act, target: str) -> bool:
        del target
        own = not act.delegator or (act.delegator, act.role, "") in self.roles
        return own and (act.signer, act.role, act.delegator) in self.roles

    def also(self, person: Person, role: str, delegator: str = "") -> "Roster":
        """Return the same with another role."""
        return replace(self, roles=self.roles | {(person.name, role, delegator)})


def roster(*others: Person, role: str = ROLE) -> Roster:
    """Return Ann, Bob, Eve, Dan and others, who all have one approver role."""
    everybody = (ANN, BOB, EVE, DAN, *others)
    return Roster(frozenset((person.name, role, "") for person in everybody))


def text(clear: str) -> PersonalText:
    """Return `clear` with a commitment; the salt is made from the text, so that runs repeat."""
    salt = (clear.encode() * 32 + bytes(32))[:32]
    return PersonalText(clear=clear, salt=salt, commitment=personal.commit(clear, salt))


def policy(name: str = "production", quorum: int = 2, number: int = 1) -> Version:
    """Return a policy that governs each stage `production`."""
    spec = PolicySpec(models=["*"], stages=["production"], quorum=quorum)
    full = f"namespaces/default/policies/{name}/versions/{number}"
    return Version(full, number, policy_digest(spec), spec)


def request(quorum: int = 2, submitter: Person = ANN) -> Request:
    """Return the request that Ann makes."""
    return Request(
        name=APPROVAL_NAME,
        version=VERSION,
        target=TARGET,
        submitter=submitter.name,
        nonce="cd" * 32,
        at=NOW,
        facts=Facts(DIGEST, ANN.name, is_archived=False, inputs=Inputs({})),
        policies=(policy(quorum=quorum),),
    )


def asked(quorum: int = 2, submitter: Person = ANN) -> ApprovalRequested:
    """Return the event that the request leads to."""
    (event,) = APPROVAL.decide(request(quorum, submitter), APPROVAL.initial)
    assert isinstance(event, ApprovalRequested)
    return event


def record(
    person: Person, of: ApprovalRequested, meaning: Meaning = Meaning.APPROVED, reason: str = ""
) -> SigningRecord:
    """Return the record that the service prepares for a person."""
    return SigningRecord(
        deployment=DEPLOYMENT,
        approval=of.name,
        nonce=of.nonce,
        subject=Named(of.version, of.manifest_digest),
        target=of.target,
        policies=tuple(Named(each.name, each.digest) for each in of.policies),
        evidence_digest=of.evidence_digest,
        step="approval",
        role=ROLE,
        meaning=meaning,
        signer=person.name,
        key=person.key,
        time=NOW,
        reason_commitment=text(reason).commitment.hex() if reason else "",
        printed_name_commitment=text(person.word.title()).commitment.hex(),
    )


def signing(person: Person, signed: SigningRecord, reason: str = "") -> Signing:
    """Return a person's signature of a record, as it reaches the rules."""
    data = signed.to_bytes()
    return Signing(
        signer=person.signer,
        record=data,
        signature=dsse.sign(person.pair.private, SIGNATURE_TYPE, data),
        printed_name=text(person.word.title()),
        reason=text(reason) if reason else PersonalText(),
        deployment=DEPLOYMENT,
        at=NOW,
    )


def sign(person: Person, of: ApprovalRequested, **changes: object) -> Sign:
    """Return a person's command to sign; `changes` are to the record, before it is signed."""
    changed = replace(record(person, of), **changes)  # type: ignore[arg-type]
    return Sign(of.name, signing(person, changed), roster(person))


def reject(person: Person, of: ApprovalRequested, reason: str = "Drifts on new data.") -> Reject:
    """Return a person's command to reject."""
    signed = signing(person, record(person, of, Meaning.REJECTED, reason), reason)
    return Reject(of.name, signed, roster(person))


def history(*commands: Sign | Reject | Request) -> list[Event]:
    """Return the events of commands that are all let through."""
    events: list[Event] = []
    for command in commands:
        events += APPROVAL.decide(command, APPROVAL.fold(events))
    return events


def signed(person: Person, of: ApprovalRequested) -> ApprovalSigned:
    """Return the event of a signature that holds."""
    data = record(person, of).to_bytes()
    return ApprovalSigned(
        name=of.name,
        signer=person.name,
        key=person.key,
        public_key=person.pair.public,
        record=data,
        signature=dsse.sign(person.pair.private, SIGNATURE_TYPE, data),
        printed_name=text(person.word.title()),
    )


def granted(of: ApprovalRequested, *signers: Person) -> ApprovalGranted:
    """Return the event of a grant."""
    return ApprovalGranted(
        name=of.name,
        version=of.version,
        manifest_digest=of.manifest_digest,
        target=of.target,
        signers=[signer.name for signer in signers],
    )
