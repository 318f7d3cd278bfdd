"""The rules of roles: which there are, where they hold, which exclude each other, who lends."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from assay.approval.v1.events_pb2 import RoleGranted, RoleProposed
from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Invalid, Rejection

EVERYWHERE = "*"
APPROVER = "approver:"
_FIXED = ("reader", "contributor", "deployer", "policy-admin", "auditor", "admin")
_APPROVER = re.compile(r"approver:[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_SCOPE = re.compile(r"namespaces/[^/]+(/models/[^/]+(/(stages|aliases)/[^/]+)?)?")
_LONGEST_LOAN = timedelta(days=366)
_ENDORSING = ("policy-admin", "admin")


@dataclass(frozen=True, slots=True)
class Held:
    """A role that a principal has, or that was lent to it until `expires`."""

    name: str
    role: str
    scope: str
    delegator: str = ""
    expires: datetime | None = None

    @property
    def is_lent(self) -> bool:
        """Whether it is another person's."""
        return bool(self.delegator)

    def has_ended(self, at: datetime) -> bool:
        """Return whether it was lent for no longer than until `at`."""
        return self.expires is not None and at >= self.expires


def check(role: str, scope: str) -> None:
    """Refuse a role or a scope that does not exist."""
    if role not in _FIXED and not _APPROVER.fullmatch(role):
        words = f"Give one of {', '.join(_FIXED)}, or approver:<role>, as approver:validator."
        raise Invalid(Reason.REASON_MALFORMED, words, field="role.role")
    if scope != EVERYWHERE and not _SCOPE.fullmatch(scope):
        words = "Give a namespace, a model, or a stage or alias of one as the scope, or * for all."
        raise Invalid(Reason.REASON_MALFORMED, words, field="role.scope")


def check_exclusive(role: str, scope: str, held: Iterable[Held]) -> None:
    """Refuse a role beside one that excludes it where both hold."""
    for other in held:
        if _overlap(scope, other.scope) and _exclude(role, other.role):
            raise Rejection(
                Reason.REASON_EXCLUSIVE_ROLES,
                f"Remove {other.role} in {other.scope} first: nobody may be {role} beside it.",
                role=other.name,
            )


def check_loan(held: Held | None, expires: datetime, at: datetime) -> None:
    """Refuse to lend what is not an approver's own role, or for too long."""
    if held is None or held.is_lent or not held.role.startswith(APPROVER):
        words = "Lend an approver role of your own; a role that was lent is not lent on."
        raise Rejection(Reason.REASON_NOT_DELEGABLE, words)
    if not at < expires <= at + _LONGEST_LOAN:
        words = "Give a time within the next 366 days."
        raise Invalid(Reason.REASON_MALFORMED, words, field="expire_time")


def may_endorse(held: Iterable[Held]) -> bool:
    """Return whether one of these roles lets its holder put proposals in force."""
    return any(h.role in _ENDORSING or h.role.startswith(APPROVER) for h in held if not h.is_lent)


def may_end(held: Iterable[Held], target: str) -> bool:
    """Return whether one of these roles lets its holder suspend, resume or revoke a grant."""
    return any(
        covers(h.scope, target) and (h.role == "policy-admin" or h.role.startswith(APPROVER))
        for h in held
    )


def covers(scope: str, resource: str) -> bool:
    """Return whether a role in `scope` holds at a resource."""
    return scope in (EVERYWHERE, resource) or resource.startswith(f"{scope}/")


def role_name(principal: str, role: str, scope: str, delegator: str = "") -> str:
    """Return the resource name of a role: the same role in the same scope has the same name."""
    digest = sha256(f"{role}\n{scope}\n{delegator}".encode()).hexdigest()
    return f"{principal}/roles/{digest[:32]}"


def held(event: RoleGranted) -> Held:
    """Return the role that an event gives."""
    expires = event.expire_time.ToDatetime(tzinfo=UTC) if event.HasField("expire_time") else None
    return Held(event.name, event.role, event.scope, event.delegator, expires)


def is_named_right(event: RoleGranted | RoleProposed) -> bool:
    """Return whether an event's name is that of its role."""
    delegator = event.delegator if isinstance(event, RoleGranted) else ""
    principal = event.name.rpartition("/roles/")[0]
    return event.name == role_name(principal, event.role, event.scope, delegator)


def _overlap(scope: str, other: str) -> bool:
    return covers(scope, other) or covers(other, scope)


def _exclude(role: str, other: str) -> bool:
    """Return whether two roles exclude each other, whichever came first."""
    pair = {role.partition(":")[0], other.partition(":")[0]}
    if "auditor" in pair:  # an auditor may read besides, and nothing else
        return bool(pair - {"auditor", "reader"})
    return pair == {"admin", "approver"}
