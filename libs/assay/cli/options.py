"""Arguments and options that several commands take, each in one form."""

from pathlib import Path
from typing import Annotated

import typer

_PAIR = "KEY=VALUE"
_MOMENT = "MOMENT"

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="Model.")]
ModelNames = Annotated[list[str], typer.Argument(metavar="NAME...", help="Models.")]
Reference = Annotated[str, typer.Argument(metavar="NAME/N|NAME@ALIAS", help="Version.")]
Numbered = Annotated[str, typer.Argument(metavar="NAME/N", help="Version.")]
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the version.")]
AliasId = Annotated[str, typer.Argument(metavar="ALIAS", help="Alias.")]
StageId = Annotated[str, typer.Argument(metavar="STAGE", help="Stage.")]
Words = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT]...", help="Words that must all be there.")
]

Limit = Annotated[int, typer.Option(min=0, help="Most rows; 0 for all.")]
Filter = Annotated[str, typer.Option("--filter", metavar="FILTER", help="As in AIP-160.")]
OrderBy = Annotated[
    str, typer.Option(metavar="FIELD", help="Order, such as 'create_time desc' or metrics.auc.")
]
AsOf = Annotated[
    str, typer.Option(metavar=_MOMENT, help="Read as of a time or a revision, instead of now.")
]
Since = Annotated[str, typer.Option(metavar=_MOMENT, help="Earlier time or revision.")]
Until = Annotated[str, typer.Option(metavar=_MOMENT, help="Later time or revision; now.")]
Page = Annotated[str, typer.Option(metavar="TOKEN", help="Go on where another page ended.")]
Count = Annotated[bool, typer.Option("--count", help="Count all that fit, too.")]
Watch = Annotated[bool, typer.Option("--watch", help="Draw again at each change, until Ctrl-C.")]

Reason = Annotated[str, typer.Option(help="Why.")]
Etag = Annotated[
    str, typer.Option(metavar="ETAG", help="Only if it still has this etag, as `show` prints it.")
]
Expect = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Version that holds it now; 0 for none.")
]
Description = Annotated[str | None, typer.Option(help="What it is.")]
Tags = Annotated[list[str] | None, typer.Option(metavar=_PAIR, help="Set a label.")]
Untag = Annotated[list[str] | None, typer.Option(metavar="KEY", help="Remove a label.")]
Owners = Annotated[list[str] | None, typer.Option(metavar="WHO", help="Who answers for it.")]
Disown = Annotated[list[str] | None, typer.Option(metavar="WHO", help="Who no longer does.")]
Tier = Annotated[str | None, typer.Option(help="How much depends on it, such as high.")]
IntendedUse = Annotated[str | None, typer.Option(metavar="TEXT", help="What it may be used for.")]
Card = Annotated[Path | None, typer.Option(metavar="FILE", help="Model card, YAML or JSON.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", metavar="KEY=NUMBER", help="Measured number.")
]
Params = Annotated[list[str] | None, typer.Option("--param", metavar=_PAIR, help="Setting.")]
Run = Annotated[Path | None, typer.Option(metavar="FILE", help="Run that made it, YAML or JSON.")]
About = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Card, signature, format, parents; YAML or JSON."),
]
SemanticVersion = Annotated[str, typer.Option(metavar="X.Y.Z", help="Your own version of it.")]


def etag_of(text: str) -> str:
    """Return an etag as the services write it; its number alone will do."""
    return f'"{text}"' if text.isdecimal() else text
