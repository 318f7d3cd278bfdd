"""Who is who, and who may sign in which role, from what the principals' own events say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from assay_approval.domain.known import Principal
from assay_approval.domain.roles import APPROVER, Held, covers
from assay_approval.verdict import Act


@dataclass(frozen=True, slots=True)
class Roster:
    """Principals as they are now; lent roles count until `at` is past their end."""

    at: datetime
    known: Mapping[str, Principal] = field(default_factory=dict)

    def person(self, principal: str) -> str:
        """Return one name for all accounts of a person: the first of them in order."""
        return min(self.accounts(principal))

    def accounts(self, principal: str) -> frozenset[str]:
        """Return all accounts of a person, as far as they are known here."""
        found, waiting = {principal}, [principal]
        while waiting:
            links = self._links(waiting.pop()) - found
            found |= links
            waiting.extend(links)
        return frozenset(found)

    def may_sign(self, act: Act, target: str) -> bool:
        """Return whether the signer has, or was lent, the role of the act where `target` is."""
        mine = self.roles(act.signer, act.role, target)
        if not act.delegator:
            return any(not held.is_lent for held in mine)
        lent = any(held.delegator == act.delegator for held in mine)
        own = self.roles(act.delegator, act.role, target)
        return lent and any(not held.is_lent for held in own)

    def roles(self, principal: str, role: str, target: str) -> list[Held]:
        """Return what a principal has of an approver role at a target; of any role where empty."""
        state = self.known.get(principal, Principal())
        return [
            held
            for held in state.roles.values()
            if _is(held, role) and covers(held.scope, target) and not self._is_over(held)
        ]

    def _links(self, principal: str) -> frozenset[str]:
        """Return the accounts that are said to be the same person, from either side."""
        own = self.known.get(principal, Principal()).links
        back = (name for name, state in self.known.items() if principal in state.links)
        return own | frozenset(back)

    def _is_over(self, held: Held) -> bool:
        return held.expires is not None and self.at >= held.expires


def concerned(state_signers: Iterable[str], *others: str) -> frozenset[str]:
    """Return the principals that have to be known to count an approval."""
    return frozenset(name for name in (*state_signers, *others) if name)


def _is(held: Held, role: str) -> bool:
    return held.role == f"{APPROVER}{role}" if role else held.role.startswith(APPROVER)
