"""Roles of the founding, written past the approval service: for tests of the other services."""

from assay.approval.v1.events_pb2 import RoleGranted
from assay_approval.domain.roles import role_name
from tests.support.scribe import Scribe

ALL_BUT_APPROVERS = ("contributor", "deployer", "policy-admin", "admin")


async def appoint(scribe: Scribe, principal: str, *roles: str, scope: str = "*") -> None:
    """Give a principal, by its UUID, roles: all that an admin may have where none is said."""
    holder = f"principals/{principal}"
    for role in roles or ALL_BUT_APPROVERS:
        name = role_name(holder, role, scope)
        await scribe.write(RoleGranted(name=name, role=role, scope=scope, founding=True))
