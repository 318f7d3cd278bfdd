"""Who is who, with which keys and roles, from when to when: the principals' events in their order.

Pure. It believes no event: what claims to be of the founding must come before the first policy, and
what was endorsed, by a key that could sign just then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias

from assay import times
from assay.approval.v1.events_pb2 import (
    KeyEnrolled,
    KeyRevoked,
    PolicyPublished,
    PrincipalLinked,
    RoleGranted,
    RoleRemoved,
)
from assay.endorsements import is_endorsed, is_proven
from assay_events import admission, codec
from assay_events.envelope import Stored

OPEN = 2**63 - 1
FOUNDING_NAMESPACE = "namespaces/default"
_ENDORSING = ("policy-admin", "admin")
_APPROVER = "approver:"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_PRINCIPALS = "assay.v1.approval.principal."
_POLICIES = "assay.v1.approval.policies."

_Endorsed: TypeAlias = KeyEnrolled | RoleGranted | PolicyPublished


@dataclass(frozen=True, slots=True)
class KeyLife:
    """From which revision to which a key may sign, the last one excluded."""

    principal: str
    public_key: bytes
    from_revision: int
    to_revision: int = OPEN

    def may_sign_at(self, revision: int) -> bool:
        """Return whether the key was enrolled before `revision`, and not revoked before it."""
        return self.from_revision < revision < self.to_revision


@dataclass(frozen=True, slots=True)
class Tenure:
    """From which revision to which a principal has a role; `delegator` lends it until `expires`."""

    name: str
    role: str
    scope: str
    from_revision: int
    to_revision: int = OPEN
    delegator: str = ""
    expires: datetime | None = None

    def holds(self, revision: int, at: datetime) -> bool:
        """Return whether it holds after the event of a revision, at a time."""
        is_in_time = self.expires is None or at < self.expires
        return self.from_revision <= revision < self.to_revision and is_in_time


@dataclass(slots=True)
class Directory:
    """All principals of a deployment, up to the last event that it was given.

    `policies` are the revisions at which a policy was published rightly; `stream_time` is the
    latest at which the store took any event.
    """

    deployment: str
    keys: dict[str, KeyLife] = field(default_factory=dict)
    founding_end: int = 0
    policies: set[int] = field(default_factory=set)
    stream_time: datetime = _LONG_AGO
    _tenures: dict[str, list[Tenure]] = field(default_factory=dict)
    _links: dict[str, set[str]] = field(default_factory=dict)
    _digests: dict[str, bytes] = field(default_factory=dict)

    def take(self, stored: Stored) -> None:
        """Take the next event in; what breaks a rule, or is of something else, changes nothing."""
        self.stream_time = max(self.stream_time, stored.stream_time)
        if not stored.nats_subject.startswith((_PRINCIPALS, _POLICIES)):
            return
        recorded = codec.decode_leniently(stored)
        known = self._digests.get(stored.nats_subject, b"")
        if admission.defect(recorded, known, self.deployment):
            return
        self._digests[stored.nats_subject] = admission.digest(stored.body)
        match recorded.event:
            case PolicyPublished() as event:
                self._policy_published(event, stored.revision)
            case KeyEnrolled() as event:
                self._enrolled(event, stored.revision)
            case KeyRevoked() as event:
                self._revoked(event, stored.revision)
            case RoleGranted() as event:
                self._granted(event, stored.revision)
            case RoleRemoved() as event:
                self._removed(event, stored.revision)
            case PrincipalLinked() as event:
                self._links.setdefault(event.name, set()).add(event.other)
                self._links.setdefault(event.other, set()).add(event.name)

    def roles(self, principal: str, at: datetime, revision: int = OPEN - 1) -> Iterator[Tenure]:
        """Yield the roles that a principal has, or had after the event of a revision."""
        return (t for t in self._tenures.get(principal, ()) if t.holds(revision, at))

    def accounts(self, principal: str) -> frozenset[str]:
        """Return all principals that are known to be one person with this one, and itself."""
        found, waiting = {principal}, [principal]
        while waiting:
            links = self._links.get(waiting.pop(), set()) - found
            found |= links
            waiting.extend(links)
        return frozenset(found)

    def person(self, principal: str) -> str:
        """Return one name for all accounts of a person."""
        return min(self.accounts(principal))

    def could_sign(self, signer: str, key: str, public_key: bytes, revision: int) -> bool:
        """Return whether this was the signer's key, and might sign, just before a revision."""
        life = self.keys.get(key)
        return (
            life is not None
            and (life.principal, life.public_key) == (signer, public_key)
            and life.may_sign_at(revision)
        )

    def enrolled(self, key: str, revision: int) -> bool:
        """Return whether the event of a revision put the key in force."""
        life = self.keys.get(key)
        return life is not None and life.from_revision == revision

    def gave(self, role: str, revision: int) -> bool:
        """Return whether the event of a revision put the role in force."""
        own = self._tenures.get(role.rpartition("/roles/")[0], ())
        return any((each.name, each.from_revision) == (role, revision) for each in own)

    def _policy_published(self, event: PolicyPublished, revision: int) -> None:
        if not self._is_backed(event, self.accounts(event.proposer), revision):
            return
        self.policies.add(revision)
        if not self.founding_end and event.name.startswith(f"{FOUNDING_NAMESPACE}/"):
            self.founding_end = revision

    def _enrolled(self, event: KeyEnrolled, revision: int) -> None:
        principal = event.name.rpartition("/keys/")[0]
        if event.name in self.keys or not is_proven(event):
            return
        if self._is_backed(event, self.accounts(principal), revision):
            self.keys[event.name] = KeyLife(principal, event.public_key, revision)

    def _revoked(self, event: KeyRevoked, revision: int) -> None:
        life = self.keys.get(event.name)
        if life is not None and life.to_revision == OPEN:
            self.keys[event.name] = replace(life, to_revision=revision)

    def _granted(self, event: RoleGranted, revision: int) -> None:
        principal = event.name.rpartition("/roles/")[0]
        is_lent = bool(event.delegator) and self._may_lend(event, revision)
        barred = self.accounts(principal) | self.accounts(event.giver)
        if not is_lent and not self._is_backed(event, barred, revision):
            return
        expires = event.expire_time.ToDatetime(tzinfo=UTC) if is_lent else None
        self._end(principal, event.name, revision)
        self._tenures.setdefault(principal, []).append(
            Tenure(
                event.name,
                event.role,
                event.scope,
                revision,
                delegator=event.delegator,
                expires=expires,
            )
        )

    def _removed(self, event: RoleRemoved, revision: int) -> None:
        self._end(event.name.rpartition("/roles/")[0], event.name, revision)

    def _end(self, principal: str, name: str, revision: int) -> None:
        """End the tenure of a role that still holds."""
        self._tenures[principal] = [
            replace(each, to_revision=revision)
            if each.name == name and each.to_revision == OPEN
            else each
            for each in self._tenures.get(principal, ())
        ]

    def _is_backed(self, event: _Endorsed, barred: frozenset[str], revision: int) -> bool:
        """Return whether it belongs to the founding, or another person's key stands for it."""
        if event.founding:
            return not self.founding_end
        given = event.endorsement
        return (
            self.could_sign(given.signer, given.key, given.public_key, revision)
            and given.signer not in barred
            and self._may_endorse(given.signer, revision)
            and is_endorsed(event)
        )

    def _may_endorse(self, principal: str, revision: int) -> bool:
        """Return whether a principal had a role of its own that lets it endorse."""
        return any(
            each.from_revision < revision < each.to_revision
            and (each.role in _ENDORSING or each.role.startswith(_APPROVER))
            for each in self._tenures.get(principal, ())
            if not each.delegator
        )

    def _may_lend(self, event: RoleGranted, revision: int) -> bool:
        """Return whether who lends a role has it."""
        own: Iterable[Tenure] = self._tenures.get(event.delegator, ())
        return (
            event.HasField("expire_time")
            and times.are_sound(event)
            and any(
                (each.role, each.scope, each.delegator, each.to_revision)
                == (event.role, event.scope, "", OPEN)
                and each.from_revision < revision
                for each in own
            )
        )
