"""Who is who and who may sign, as the whole stream shows: the directory, at one moment."""

from dataclasses import dataclass
from datetime import datetime

from assay.approval.v1.events_pb2 import (
    ApprovalRejected,
    ApprovalSigned,
    BreakGlassReviewed,
    KeyEnrolled,
    PolicyPublished,
    RoleGranted,
)
from assay_approval.verdict import Act
from assay_events.envelope import Recorded
from assay_serve.directory import OPEN, Directory, Tenure
from assay_serve.rights import covers

NOW = OPEN - 1
_APPROVER = "approver:"


@dataclass(frozen=True, slots=True)
class Roster:
    """Who had which role after the event of a revision, at a time."""

    directory: Directory
    at: datetime
    revision: int = NOW

    def person(self, principal: str) -> str:
        """Return one name for all accounts of a person, those that were linked later too."""
        return self.directory.person(principal)

    def may_sign(self, act: Act, target: str) -> bool:
        """Return whether the key was in force, and the role of the act the signer's, or lent."""
        life = self.directory.keys.get(act.key)
        if life is not None and not life.may_sign_at(self.revision):
            return False
        mine = {held.delegator for held in self.roles(act.signer, act.role, target) if act.role}
        own = self.roles(act.delegator, act.role, target) if act.delegator else ()
        return act.delegator in mine and (
            not act.delegator or any(not held.delegator for held in own)
        )

    def roles(self, principal: str, role: str, target: str) -> list[Tenure]:
        """Return what a principal has of an approver role at a target; of any role where empty."""
        return [
            held
            for held in self.directory.roles(principal, self.at, self.revision)
            if _is(held, role) and covers(held.scope, target)
        ]


def admits(directory: Directory, recorded: Recorded) -> bool:
    """Return whether a key that might sign then stands for an event that needs one."""
    match recorded.event:
        case PolicyPublished():
            return recorded.revision in directory.policies
        case KeyEnrolled() as event:
            return directory.enrolled(event.name, recorded.revision)
        case RoleGranted() as event:
            return directory.gave(event.name, recorded.revision)
        case ApprovalSigned() | ApprovalRejected() | BreakGlassReviewed() as event:
            return directory.could_sign(
                event.signer, event.key, event.public_key, recorded.revision
            )
    return True


def _is(held: Tenure, role: str) -> bool:
    return held.role == f"{_APPROVER}{role}" if role else held.role.startswith(_APPROVER)
