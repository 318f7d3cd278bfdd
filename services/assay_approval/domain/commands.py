"""What may be asked of an approval. Each command names its approval."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from assay import names
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.conditions import Inputs
from assay_approval.domain.policies import Version
from assay_approval.domain.signing import Signing
from assay_approval.verdict import People


@dataclass(frozen=True, slots=True)
class Facts:
    """What the other services say of the version, fresh, and which break-glass waits for review."""

    manifest_digest: str
    registrant: str
    is_archived: bool
    inputs: Inputs
    trainers: tuple[str, ...] = ()
    review_due: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """Ask for `version` to be let into `target`; `policies` are those that govern it now."""

    name: str
    version: names.VersionName
    target: names.AliasName | names.StageName
    submitter: str
    nonce: str
    at: datetime
    facts: Facts
    policies: tuple[Version, ...]
    is_break_glass: bool = False
    reason: PersonalText = field(default_factory=PersonalText)
    reason_code: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """Make a remark."""

    approval: str
    author: str
    text: PersonalText


@dataclass(frozen=True, slots=True)
class Attach:
    """Bring evidence forward; `policies` are the versions that the approval is under."""

    approval: str
    attacher: str
    type: str
    artifact: str
    claims: Mapping[str, str]
    policies: tuple[Version, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign that the version may enter; `people` know who may sign in which role now."""

    approval: str
    signing: Signing
    people: People


@dataclass(frozen=True, slots=True)
class Reject:
    """Sign that the version may not enter."""

    approval: str
    signing: Signing
    people: People


@dataclass(frozen=True, slots=True)
class Review:
    """Sign that a break-glass grant was looked at."""

    approval: str
    signing: Signing
    people: People


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take an open approval back."""

    approval: str
    actor: str
    reason: PersonalText


@dataclass(frozen=True, slots=True)
class Revoke:
    """Take the grant back; `may_end` is said of approvers and policy-admins of the target."""

    approval: str
    kind: ActorKind.ValueType
    reason: PersonalText
    code: str = ""
    may_end: bool = True


@dataclass(frozen=True, slots=True)
class Suspend:
    """Put the grant out of force for a while."""

    approval: str
    kind: ActorKind.ValueType
    reason: PersonalText
    code: str = ""
    may_end: bool = True


@dataclass(frozen=True, slots=True)
class Resume:
    """Put a suspended grant in force again."""

    approval: str
    kind: ActorKind.ValueType
    reason: PersonalText
    at: datetime
    may_end: bool = True


@dataclass(frozen=True, slots=True)
class Expire:
    """Record that an approval's time is over at `at`, if it is."""

    approval: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Remind:
    """Record that a grant is to be renewed, if it is so at `at`."""

    approval: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Void:
    """Note that what the approval is about changed."""

    approval: str
    change: str


Command: TypeAlias = (
    Request
    | Comment
    | Attach
    | Sign
    | Reject
    | Review
    | Withdraw
    | Revoke
    | Suspend
    | Resume
    | Expire
    | Remind
    | Void
)
