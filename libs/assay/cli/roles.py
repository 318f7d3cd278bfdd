"""Commands about roles: who may do what, and where."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.options import AsOf
from assay.cli.people import Scope, User, principal_of, scope_of

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Role
    from assay.cli.screen import Screen

app = typer.Typer(help="Say who may do what, and where.")
RoleWord = Annotated[
    str,
    typer.Argument(
        metavar="ROLE",
        help="reader, contributor, deployer, approver:<role>, policy-admin, auditor or admin.",
    ),
]


@command(app, "grant")
def grant(
    context: Context,
    user: User,
    role: RoleWord,
    scope: Scope = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Give a role: at once before the first policy, else once another person has endorsed it."""
    from assay.approval.v1.approval_service_pb2 import GrantRoleRequest
    from assay.approval.v1.resources_pb2 import Role

    response = context.client.approval.GrantRole(
        GrantRoleRequest(
            parent=principal_of(context, user),
            role=Role(role=role, scope=scope_of(context, scope)),
            reason=reason,
        )
    )
    context.answer(response, lambda screen: _tell(context, screen, user, response.role))


@command(app, "list")
def list_(
    context: Context,
    user: Annotated[str, typer.Argument(metavar="[USER]", help="Whose; everybody's.")] = "",
    filter_: Annotated[str, typer.Option("--filter", metavar="FILTER", help="As in AIP-160.")] = "",
    as_of: AsOf = "",
) -> None:
    """List the roles in force, now or as of a moment."""
    from assay.approval.v1.approval_service_pb2 import ListRolesRequest
    from assay.cli.moments import moment_of
    from assay.cli.people import show_roles
    from assay.paging import collect

    request = ListRolesRequest(
        parent=principal_of(context, user) if user else "",
        filter=filter_,
        as_of=moment_of(as_of) if as_of else None,
    )
    response = collect(context.client.approval.ListRoles, request)
    context.answer(response, lambda screen: show_roles(screen, list(response.roles), "No roles."))


@command(app, "remove")
def remove(
    context: Context,
    user: User,
    role: RoleWord,
    reason: Annotated[str, typer.Option(help="Why; must be given.")],
    scope: Scope = "",
) -> None:
    """Take a role away, at once."""
    from assay.approval.v1.approval_service_pb2 import RemoveRoleRequest

    name = _find(context, principal_of(context, user), role, scope_of(context, scope)).name
    response = context.client.approval.RemoveRole(RemoveRoleRequest(name=name, reason=reason))
    told = f"{user} is {role} in {response.role.scope} no more."
    context.answer(response, lambda screen: screen.say(told))


@command(app, "lend")
def lend(
    context: Context,
    user: User,
    role: RoleWord,
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long, as 14d.")],
    scope: Scope = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Lend an approver role of your own to another person for a time."""
    from assay.approval.v1.approval_service_pb2 import DelegateRoleRequest
    from assay.cli.durations import time_after
    from assay.cli.screen import moment

    end = time_after(for_)
    lent = _find(context, context.client.principal, role, scope_of(context, scope))
    borrower = principal_of(context, user)
    response = context.client.approval.DelegateRole(
        DelegateRoleRequest(parent=borrower, role=lent.name, expire_time=end, reason=reason)
    )
    until = f"until {moment(response.role.expire_time)}"
    told = f"{user} may sign as {role} in {lent.scope} for you {until}."
    context.answer(response, lambda screen: screen.say(told))


def _find(context: Context, holder: str, role: str, scope: str) -> "Role":
    """Return the role of a holder, its own before a lent one."""
    from assay.approval.v1.approval_service_pb2 import ListRolesRequest
    from assay.errors import NotFound
    from assay.paging import collect

    listed = collect(context.client.approval.ListRoles, ListRolesRequest(parent=holder)).roles
    fitting = [found for found in listed if (found.role, found.scope) == (role, scope)]
    if not fitting:
        context.hints["NOT_FOUND"] = context.command("role", "list", of=(holder,))
        raise NotFound(
            f"There is no role {role} in {scope}: give its --scope as `assay role list` shows it.",
            reason="NOT_FOUND",
            metadata={"principal": holder, "role": role, "scope": scope},
        )
    return min(fitting, key=lambda found: bool(found.delegator))


def _tell(context: Context, screen: "Screen", user: str, role: "Role") -> None:
    """Say whether the role is in force, and what puts it in force where it is not."""
    from assay.approval.v1.resources_pb2 import STANDING_PROPOSED

    if role.standing != STANDING_PROPOSED:
        screen.say(f"{user} is {role.role} in {role.scope} now.")
        return
    screen.say(f"{user} is {role.role} in {role.scope} once another person endorses it.")
    endorse = context.command("proposal", "endorse", of=(role.name,), as_user="ANOTHER")
    screen.say(f"Next: {endorse}")
