"""The command that shows the card of a version, and what is missing in it."""

from typing import TYPE_CHECKING

import typer

from assay.cli import options
from assay.cli.command import Context, command

if TYPE_CHECKING:
    from assay.cli.screen import Screen
    from assay.metadata.v1.resources_pb2 import ModelCard

card_app = typer.Typer(help="Model cards: what a version says of itself for those who decide.")


@command(card_app, "show")
def show(context: Context, reference: options.Reference, as_of: options.AsOf = "") -> None:
    """Show the card of a version, how complete it is, and which parts are missing."""
    from assay.cli.finding import find_version
    from assay.cli.redrawing import present

    present(
        context,
        lambda moment: find_version(context, reference, moment),
        lambda screen, answer: _show(context, screen, reference, answer.model_version.card),
        as_of=as_of,
    )


def _show(context: Context, screen: "Screen", reference: str, card: "ModelCard") -> None:
    from assay import cards

    missing = cards.missing(card)
    full = len(cards.PARTS)
    screen.facts(
        [
            ("schema", card.schema),
            *((part, getattr(card, part)) for part in cards.filled(card)),
            ("complete", f"{full - len(missing)} of {full} parts, {cards.completeness(card):.0%}"),
            ("missing", ", ".join(missing)),
        ]
    )
    if missing:
        update = context.command("version", "update", of=(reference,), card="FILE")
        screen.say(f"Next: {update}")
