"""Commands about proposals: keys, roles and policies that wait for another person's signature."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command
from assay.cli.passphrases import PassphraseFile

if TYPE_CHECKING:
    from assay.approval.v1.approval_service_pb2 import Proposal
    from assay.cli.screen import Screen

app = typer.Typer(help="Endorse what others proposed: keys, roles, policies.")
Name = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Its name, as the list shows it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you mean it.")]


@command(app, "list")
def list_(context: Context) -> None:
    """List what waits for an endorsement, oldest first."""
    from assay.approval.v1.approval_service_pb2 import ListProposalsRequest
    from assay.paging import collect

    response = collect(context.client.approval.ListProposals, ListProposalsRequest())

    def show(screen: "Screen") -> None:
        from assay.cli.screen import moment

        rows = [
            [p.name, p.description, screen.who(p.proposer), moment(p.create_time)]
            for p in response.proposals
        ]
        columns = ("proposal", "what it does", "proposed by", "proposed")
        screen.table(columns, rows, "Nothing waits for an endorsement.")

    context.answer(response, show)


@command(app, "show")
def show(context: Context, proposal: Name) -> None:
    """Show a proposal; that of a policy with what it changes."""
    found = _find(context, proposal)

    def told(screen: "Screen") -> None:
        from assay.cli.policy_forms import differences, proposed

        _show(screen, found)
        if "/policies/" in found.name:
            policy = proposed(context, found.name)
            rows = differences(policy.spec, policy.proposed_spec)
            screen.table(("field", "in force", "proposed"), rows, "It says the same.")

    context.answer(found, told)


@command(app, "endorse")
def endorse(
    context: Context,
    proposal: Name,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Put a proposal of another person in force with your signature."""
    from assay import endorsing
    from assay.cli import passphrases
    from assay.cli.signers import signer_login, signer_public_key
    from assay_trust import keyfiles

    context.hints |= {
        "NOT_FOUND": context.command("proposal", "list"),
        "SELF_ENDORSEMENT": context.command("proposal", "endorse", of=(proposal,), as_user="OTHER"),
        "ROLE_REQUIRED": context.command("role", "list"),
        "OWNER_MAY_NOT_SIGN": context.command(
            "proposal", "endorse", of=(proposal,), as_user="USER"
        ),
    }
    login = signer_login(context)
    path, public_key = signer_public_key(context, login)
    prepared = endorsing.prepare(context.client, _find(context, proposal).name, public_key)
    typer.echo(prepared.text, err=context.as_json)
    if not yes:
        passphrases.confirm("endorse")
    pair = keyfiles.open_(path.read_bytes(), passphrases.obtain(passphrase_file, login))
    response = endorsing.endorse(context.client, prepared, pair)
    told = f"In force now: {prepared.proposal.description or prepared.proposal.name}"
    context.answer(response, lambda screen: screen.say(told))


def _find(context: Context, text: str) -> "Proposal":
    """Return the proposal that `text` names, or whose name alone ends in it."""
    from assay.approval.v1.approval_service_pb2 import ListProposalsRequest
    from assay.errors import Invalid, NotFound
    from assay.paging import collect

    context.hints["NOT_FOUND"] = context.command("proposal", "list")
    listed = collect(context.client.approval.ListProposals, ListProposalsRequest()).proposals
    fitting = [p for p in listed if p.name == text or p.name.endswith(f"/{text}")]
    if len(fitting) > 1:
        raise Invalid(f"{len(fitting)} proposals end in {text!r}: write the whole name.")
    if not fitting:
        raise NotFound("No such proposal waits for an endorsement.", metadata={"name": text})
    return fitting[0]


def _show(screen: "Screen", proposal: "Proposal") -> None:
    from assay.cli.screen import moment

    screen.facts(
        [
            ("proposal", proposal.name),
            ("what it does", proposal.description),
            ("proposed", f"{moment(proposal.create_time)} by {screen.who(proposal.proposer)}"),
        ]
    )
