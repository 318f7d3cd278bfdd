"""Who somebody means: a login or a principal; and where a role is to hold."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Role
    from assay.cli.screen import Screen

User = Annotated[str, typer.Argument(metavar="USER", help="Login, or principals/UUID.")]
Scope = Annotated[
    str, typer.Option(help="Where it holds: * for everywhere, NAME, NAME@STAGE; the namespace.")
]
_PRINCIPALS = "principals/"


def principal_of(context: Context, user: str) -> str:
    """Return the principal who logs in as `user`, or whom it names."""
    from assay.errors import NotFound
    from assay.folder import OWNER, checked_login
    from assay.names import PrincipalName

    if user.startswith(_PRINCIPALS):
        return str(PrincipalName.parse(user))
    if checked_login(user) == OWNER:
        return f"{_PRINCIPALS}{context.folder.secret('owner')}"
    found = _named(context, user)
    if not found:
        context.hints["NOT_FOUND"] = context.command("principal", "create", "--as", user)
        raise NotFound(
            f"Nobody is known as {user!r}.", reason="NOT_FOUND", metadata={"login": user}
        )
    return found


def _named(context: Context, login: str) -> str:
    """Return who has a login: as this folder gave it, else the one who alone claims it."""
    from assay.approval.v1.approval_service_pb2 import ListPrincipalsRequest
    from assay.errors import AssayError, Invalid
    from assay.paging import collect

    listed = collect(context.client.approval.ListPrincipals, ListPrincipalsRequest()).principals
    try:
        here = {name: uuid for uuid, name in context.folder.logins().items()}.get(login, "")
    except AssayError:  # a folder with no secrets: the addresses of a stack elsewhere
        here = ""
    if here:
        return next((p.name for p in listed if p.name == f"{_PRINCIPALS}{here}"), "")
    claims = [p.name for p in listed if p.login == login]
    if len(claims) > 1:
        raise Invalid(f"{len(claims)} principals claim {login!r}: name one as principals/UUID.")
    return claims[0] if claims else ""


def scope_of(context: Context, text: str) -> str:
    """Return where a role holds: everywhere, the namespace, a model, or a stage of one."""
    from assay import references

    if text == "*" or text.startswith("namespaces/"):
        return text
    if not text:
        return f"namespaces/{context.namespace}"
    if "@" in text:
        named = references.parse(text, context.namespace)
        return str(getattr(named, "stage", named))
    return str(references.model(text, context.namespace))


def standing(number: int) -> str:
    """Return whether something is in force, in a word."""
    from assay.approval.v1.resources_pb2 import Standing

    return Standing.Name(Standing.ValueType(number)).removeprefix("STANDING_").lower()


def show_roles(screen: "Screen", roles: "list[Role]", empty: str) -> None:
    """Print roles as a table."""
    from assay.cli.screen import moment

    rows = [
        [
            screen.who(role.name.rpartition("/roles/")[0]),
            role.role,
            role.scope,
            standing(role.standing),
            screen.who(role.giver) if role.giver else "",
            screen.who(role.delegator) if role.delegator else "",
            moment(role.expire_time),
        ]
        for role in roles
    ]
    columns = ("user", "role", "scope", "standing", "given by", "lent by", "until")
    screen.table(columns, rows, empty)
