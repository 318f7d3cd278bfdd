"""Commands of the auditor: who approved, what happened, and the events as they come."""

from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.audit.v1.audit_service_pb2 import ListLogEntriesResponse, WhoApprovedResponse
    from assay.cli.screen import Screen
    from assay.event.v1.envelope_pb2 import RecordedEvent

app = typer.Typer()
audit_app = typer.Typer(help="Ask what happened, and who let it happen.")
At = Annotated[
    str, typer.Option(metavar="TIME", help="Moment asked about, as 2026-03-01T12:00:00Z; now.")
]


@command(audit_app, "who-approved")
def who_approved(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Model.")],
    stage: Annotated[str, typer.Option(help="Stage.")] = "",
    alias: Annotated[str, typer.Option(help="Alias.")] = "",
    at: At = "",
) -> None:
    """Say which version held a stage or alias at a time, and who let it in."""
    from assay import references
    from assay.audit.v1.audit_service_pb2 import WhoApprovedRequest
    from assay.cli.moments import moment_of
    from assay.errors import Invalid

    if bool(stage) == bool(alias):
        raise Invalid("Give either --stage or --alias.", reason="REQUIRED")
    model = references.model(name, context.namespace)
    target = references.stage(model, stage) if stage else references.alias(model, alias)
    request = WhoApprovedRequest(name=str(target), as_of=moment_of(at) if at else None)
    response = context.client.audit.WhoApproved(request)
    context.answer(response, lambda screen: _show_answer(screen, str(target), at, response))


@command(audit_app, "log")
def log(  # noqa: PLR0917 - called by name
    context: Context,
    where: Annotated[str, typer.Option("--filter", metavar="FILTER", help="As in AIP-160.")] = "",
    resource: Annotated[str, typer.Option(help="This resource and all below it.")] = "",
    actor: Annotated[str, typer.Option(help="Login or principal who acted.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="From this time on.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Before this time.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Most rows; 0 for all.")] = 0,
    newest: Annotated[bool, typer.Option("--newest", help="Newest first.")] = False,
) -> None:
    """List the events, as recorded, oldest first."""
    from assay.audit.v1.audit_service_pb2 import ListLogEntriesRequest
    from assay.cli.moments import time_of
    from assay.paging import collect

    conditions = [
        f"({where})" if where else "",
        f"resource : {_quoted(resource)}" if resource else "",
        f"actor = {_quoted(_principal(context, actor))}" if actor else "",
        f"time >= {_quoted(time_of(since).isoformat())}" if since else "",
        f"time < {_quoted(time_of(until).isoformat())}" if until else "",
    ]
    request = ListLogEntriesRequest(
        filter=" AND ".join(condition for condition in conditions if condition),
        order_by="revision desc" if newest else "revision",
    )
    response = collect(context.client.audit.ListLogEntries, request, limit)

    context.answer(response, lambda screen: _show_log(screen, response))


@command(app, "events")
def events(
    context: Context,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more.")] = False,
    start: Annotated[int, typer.Option("--from", min=1, metavar="N", help="First revision.")] = 1,
    resource: Annotated[str, typer.Option(help="This resource and all below it.")] = "",
) -> None:
    """Print every event in order; with --json, one object a line."""
    from assay.event.v1.event_service_pb2 import WatchRequest

    request = WatchRequest(after_revision=start - 1, until_now=not follow, resource=resource)
    for event in context.client.watch(request):
        if context.as_json:
            from assay.cli.events import line

            print(line(event), flush=True)
        else:
            _show_event(context.screen, event)


def _show_answer(screen: "Screen", target: str, at: str, answer: "WhoApprovedResponse") -> None:
    from assay.cli.screen import moment, short_version

    when = f"At {at}" if at else "Now"
    held = target.removeprefix("namespaces/").split("/", 1)[1]
    if not answer.version:
        screen.say(f"{when}, nothing held {held}.")
        return
    screen.say(f"{when}, {short_version(answer.version)} held {held}.")
    revoked = " (revoked by then)" if answer.is_revoked else ""
    screen.facts(
        [
            ("manifest", answer.manifest_digest),
            ("entered", f"{moment(answer.enter_time)}, revision {answer.revision}"),
            ("moved by", screen.who(answer.actor)),
            ("registered by", screen.who(answer.registrant) if answer.registrant else ""),
            ("approval", f"{answer.approval}{revoked}" if answer.approval else ""),
            ("asked by", screen.who(answer.submitter) if answer.submitter else ""),
            ("policies", ", ".join(answer.policies)),
        ]
    )
    for signer in answer.signers:
        why = f": {signer.reason}" if signer.reason else ""
        name = signer.printed_name or screen.who(signer.principal)
        screen.say(f"  {name} signed at {moment(signer.sign_time)}{why}")
    if not answer.approval:
        screen.say("  No policy governed it then: nobody had to approve.")


def _show_log(screen: "Screen", answer: "ListLogEntriesResponse") -> None:
    from assay.cli.screen import moment
    from assay.cli.tables import Column

    rows = [
        [
            str(entry.revision),
            moment(entry.time),
            screen.who(entry.actor.principal),
            entry.type.removeprefix("assay."),
            entry.resource,
            entry.reason if entry.is_valid else f"INVALID: {entry.defect}",
        ]
        for entry in answer.entries
    ]
    columns = (
        Column("REV"),
        Column("TIME", goes=2),
        Column("BY", goes=3),
        Column("EVENT"),
        Column("OF", goes=4, least=24),
        Column("REASON", goes=1, least=12),
    )
    screen.table(columns, rows, "No events fit.")


def _show_event(screen: "Screen", event: "RecordedEvent") -> None:
    from assay.cli.screen import moment
    from assay.event.v1.envelope_pb2 import Envelope

    envelope = Envelope.FromString(event.envelope)
    who = screen.who(envelope.actor.principal)
    kind = envelope.type.removeprefix("assay.")
    screen.say(f"{event.revision:>6}  {moment(envelope.time)}  {kind}  {envelope.subject}  {who}")


def _principal(context: Context, actor: str) -> str:
    """Return the resource name of an actor; a bare word is a login of this data folder."""
    from assay.errors import NotFound

    if "/" in actor:
        return actor
    for principal, login in context.folder.logins().items():
        if login == actor:
            return f"principals/{principal}"
    raise NotFound(f"This data folder knows no login {actor!r}.", metadata={"login": actor})


def _quoted(text: str) -> str:
    """Return `text` as a string of the filter language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
