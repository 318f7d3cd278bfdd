"""Commands that say who acts."""

import typer

from assay.cli.command import Context, command

app = typer.Typer()


@command(app, "login")
def login(context: Context) -> None:
    """Act as another user from now on, as `--as USER` says, for twelve hours."""
    from assay import credentials
    from assay.errors import Invalid

    if not context.as_user:
        raise Invalid("Say who you are with --as USER.", reason="REQUIRED")
    principal = credentials.log_in(context.folder, context.as_user)
    _answer(context, {"login": context.as_user, "principal": principal})


@command(app, "logout")
def logout(context: Context) -> None:
    """Act as the local owner again."""
    from assay import credentials

    was = credentials.log_out(context.folder)
    if context.as_json:
        _answer(context, {"login": "", "principal": ""})
    else:
        print("Logged out." if was else "Nobody was logged in.")


def _answer(context: Context, who: dict[str, str]) -> None:
    import json

    if context.as_json:
        print(json.dumps(who, indent=2))
    else:
        context.screen.say(f"Acting as {who['login']}, {who['principal']}, for twelve hours.")
