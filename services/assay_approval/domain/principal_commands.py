"""What may be asked of a principal."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from assay.approval.v1.resources_pb2 import KeyKind, PasskeyData
from assay.type.v1.actor_pb2 import ActorKind
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval.domain import roles
from assay_approval.domain.endorsing import Endorsing
from assay_approval.domain.known import Principal


@dataclass(frozen=True, slots=True)
class CreatePrincipal:
    """Make the caller known."""

    name: str
    kind: ActorKind.ValueType
    printed_name: PersonalText
    login: PersonalText
    founding: bool


@dataclass(frozen=True, slots=True)
class Enrol:
    """Enrol a key for the caller, who proves to hold it by signing `record` with it."""

    principal: str
    public_key: bytes
    kind: KeyKind.ValueType
    record: bytes
    signature: bytes
    passkey: PasskeyData
    is_owner: bool
    founding: bool
    deployment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Take a key's right to sign away."""

    key: str
    actor: str
    is_owner: bool


@dataclass(frozen=True, slots=True)
class GrantRole:
    """Give a role, or propose to; `others` are what the same person's other accounts have."""

    principal: str
    role: str
    scope: str
    giver: str
    founding: bool
    others: tuple[roles.Held, ...] = ()


@dataclass(frozen=True, slots=True)
class LendRole:
    """Lend a role that `lender` has to this principal; `others` are its other accounts' roles."""

    principal: str
    role: str
    lender: Principal
    expires: datetime
    at: datetime
    others: tuple[roles.Held, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveRole:
    """Take a role away, or give a proposed one up; `may_remove` is said of admins."""

    role: str
    actor: str
    may_remove: bool


@dataclass(frozen=True, slots=True)
class Endorse:
    """Put a proposed key or role in force with another person's signature."""

    name: str
    endorsing: Endorsing
    others: tuple[roles.Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Let this principal and another count as one person; `own` and `others` are their roles."""

    principal: str
    other: str
    own: tuple[roles.Held, ...] = ()
    others: tuple[roles.Held, ...] = ()


Command: TypeAlias = (
    CreatePrincipal | Enrol | RevokeKey | GrantRole | LendRole | RemoveRole | Endorse | Link
)
