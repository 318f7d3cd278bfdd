"""Commands about signing keys."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.passphrases import PassphraseFile

if TYPE_CHECKING:
    from assay.approval.v1.resources_pb2 import Key, Principal
    from assay.cli.screen import Screen
    from assay_trust.keys import KeyPair

app = typer.Typer(help="Make and list the keys that people sign with.")


@command(app, "enrol")
def enrol(
    context: Context,
    name: Annotated[str, typer.Option(help="Name printed beside your signatures.")] = "",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a signing key for `--as USER`, keep it encrypted, and enrol it."""
    from assay import signing
    from assay.approval.v1.approval_service_pb2 import EnrolKeyResponse
    from assay.cli.signers import signer_login

    login = signer_login(context)
    _make_known(context, login, name or login)
    pair = _key_pair(context, login, passphrase_file)
    key = signing.enrol(context.client, pair, _deployment(context))
    path = context.folder.key_file(login)
    context.answer(
        EnrolKeyResponse(key=key, consistency_token=context.client.consistency_token),
        lambda screen: _tell(context, screen, key, path),
    )


def _tell(context: Context, screen: "Screen", key: "Key", path: Path) -> None:
    """Say whether the key is in force, and what puts it in force where it is not."""
    from assay.approval.v1.resources_pb2 import STANDING_PROPOSED

    if key.standing != STANDING_PROPOSED:
        screen.say(f"Enrolled {key.name}; the private key is in {path}.")
        return
    screen.say(f"{key.name} may sign once another person endorses it; it is in {path}.")
    endorse = context.command("proposal", "endorse", of=(key.name,), as_user="ANOTHER")
    screen.say(f"Next: {endorse}")


@command(app, "list")
def list_(context: Context) -> None:
    """List the principals and their keys."""
    from assay.approval.v1.approval_service_pb2 import ListPrincipalsRequest
    from assay.paging import collect

    response = collect(context.client.approval.ListPrincipals, ListPrincipalsRequest())

    def show(screen: "Screen") -> None:
        rows = [row for principal in response.principals for row in _rows(screen, principal)]
        columns = ("login", "printed name", "key", "enrolled", "revoked")
        screen.table(columns, rows, f"Nobody: {context.command('key', 'enrol', '--as', 'USER')}")

    context.answer(response, show)


def _rows(screen: "Screen", principal: "Principal") -> list[list[str]]:
    from assay.cli.screen import last, moment

    who = [principal.login or screen.who(principal.name), principal.printed_name]
    keys = [
        [*who, last(key.name), moment(key.create_time), moment(key.revoke_time)]
        for key in principal.keys
    ]
    return keys or [[*who, "", "", ""]]


def _make_known(context: Context, login: str, printed_name: str) -> None:
    """Create the caller's principal unless it is there."""
    from contextlib import suppress

    from assay.approval.v1.approval_service_pb2 import CreatePrincipalRequest
    from assay.approval.v1.resources_pb2 import Principal
    from assay.errors import AlreadyExists

    with suppress(AlreadyExists):
        context.client.approval.CreatePrincipal(
            CreatePrincipalRequest(principal=Principal(printed_name=printed_name, login=login))
        )


def _key_pair(context: Context, login: str, passphrase_file: Path | None) -> "KeyPair":
    """Return a new key pair, stored; or the stored one, where its enrolment did not succeed."""
    from assay.cli import passphrases
    from assay.folder import write_private
    from assay_trust import keyfiles, keys

    path = context.folder.key_file(login)
    if path.exists():
        _refuse_enrolled(context, login)
        return keyfiles.open_(path.read_bytes(), passphrases.obtain(passphrase_file, login))
    pair = keys.generate()
    passphrase = passphrases.obtain(passphrase_file, login, is_new=True)
    # Stored first: a key that is enrolled and lost would be of no use to anybody.
    write_private(path, keyfiles.seal(pair.private, passphrase), replace=False)
    return pair


def _refuse_enrolled(context: Context, login: str) -> None:
    """Refuse if the key in the person's file is enrolled already."""
    from assay.approval.v1.approval_service_pb2 import GetPrincipalRequest
    from assay.cli.signers import signer_public_key
    from assay.errors import AlreadyExists

    path, public_key = signer_public_key(context, login)
    request = GetPrincipalRequest(name=context.client.principal)
    principal = context.client.approval.GetPrincipal(request).principal
    if public_key in {key.public_key for key in principal.keys}:
        raise AlreadyExists(
            f"{login} has an enrolled key; {path} is never overwritten.",
            reason="ALREADY_EXISTS",
            metadata={"path": str(path)},
        )


def _deployment(context: Context) -> str:
    """Return the UUID of the deployment, from the folder or from the first event of its log."""
    from assay.audit.v1.audit_service_pb2 import GetLogEntryRequest
    from assay.errors import FailedPrecondition
    from assay.event.v1.envelope_pb2 import Envelope

    try:
        return context.folder.secret("deployment")
    except FailedPrecondition:
        first = context.client.audit.GetLogEntry(GetLogEntryRequest(revision=1)).entry
        return Envelope.FromString(first.envelope).deployment
