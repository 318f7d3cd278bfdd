"""Commands about people and workloads: who is known, and who is one and the same."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.people import User, principal_of

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Principal
    from assay.cli.screen import Screen

app = typer.Typer(help="Make people known, and show who they are.")


@command(app, "create")
def create(
    context: Context,
    name: Annotated[str, typer.Option(help="Name printed beside signatures; the login.")] = "",
) -> None:
    """Make `--as USER` known, without a signing key: `assay key enrol` makes known too."""
    from assay.approval.v1.approval_service_pb2 import CreatePrincipalRequest
    from assay.approval.v1.resources_pb2 import Principal
    from assay.cli.signers import acting_login

    login = acting_login(context)
    verb, arguments = ("show", (login,)) if login else ("list", ())
    context.hints["ALREADY_EXISTS"] = context.command("principal", verb, of=arguments)
    response = context.client.approval.CreatePrincipal(
        CreatePrincipalRequest(principal=Principal(printed_name=name or login, login=login))
    )
    context.answer(response, lambda screen: _show(screen, response.principal))


@command(app, "list")
def list_(context: Context) -> None:
    """List who is known."""
    from assay.approval.v1.approval_service_pb2 import ListPrincipalsRequest
    from assay.paging import collect

    response = collect(context.client.approval.ListPrincipals, ListPrincipalsRequest())

    def show(screen: "Screen") -> None:
        from assay.cli.screen import moment

        rows = [
            [p.login or screen.who(p.name), p.printed_name, _kind(p), moment(p.create_time), p.name]
            for p in response.principals
        ]
        columns = ("login", "printed name", "kind", "known since", "principal")
        empty = f"Nobody: {context.command('principal', 'create', '--as', 'USER')}"
        screen.table(columns, rows, empty)

    context.answer(response, show)


@command(app, "show")
def show(context: Context, user: User) -> None:
    """Show somebody with keys and roles; with --json, the principal alone."""
    from assay.approval.v1.approval_service_pb2 import GetPrincipalRequest

    request = GetPrincipalRequest(name=principal_of(context, user))
    response = context.client.approval.GetPrincipal(request)

    def told(screen: "Screen") -> None:
        from assay.approval.v1.approval_service_pb2 import ListRolesRequest
        from assay.cli.people import show_roles
        from assay.paging import collect

        _show(screen, response.principal)
        roles = ListRolesRequest(parent=response.principal.name)
        listed = collect(context.client.approval.ListRoles, roles).roles
        grant = context.command("role", "grant", of=(user, "ROLE"))
        show_roles(screen, list(listed), f"No role: {grant}")

    context.answer(response, told)


@command(app, "link")
def link(
    context: Context,
    user: User,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The other account.")],
    reason: Annotated[str, typer.Option(help="Why; must be given.")],
) -> None:
    """Say that two accounts are one person, who counts once and endorses nothing of either."""
    from assay.approval.v1.approval_service_pb2 import LinkPrincipalRequest

    response = context.client.approval.LinkPrincipal(
        LinkPrincipalRequest(
            name=principal_of(context, user), other=principal_of(context, other), reason=reason
        )
    )
    context.answer(response, lambda screen: screen.say(f"{user} and {other} are one person now."))


def _show(screen: "Screen", principal: "Principal") -> None:
    from assay.cli.people import standing
    from assay.cli.screen import last, moment

    keys = [
        (
            "key",
            f"{last(key.name)}, {standing(key.standing)}, enrolled {moment(key.create_time)}"
            + (f", revoked {moment(key.revoke_time)}" if key.revoke_time.seconds else ""),
        )
        for key in principal.keys
    ]
    screen.facts(
        [
            ("principal", principal.name),
            ("login", principal.login),
            ("printed name", principal.printed_name),
            ("kind", _kind(principal)),
            ("known since", moment(principal.create_time)),
            *keys,
        ]
    )


def _kind(principal: "Principal") -> str:
    from assay.type.v1.actor_pb2 import ActorKind

    return ActorKind.Name(principal.kind).removeprefix("ACTOR_KIND_").lower()
