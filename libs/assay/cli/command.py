"""What all commands share: four options, one client, one way to answer and to fail."""

import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec

import typer

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from assay.cli.screen import Screen
    from assay.client import Client
    from assay.folder import DataFolder

_P = ParamSpec("_P")
_OPTIONS: dict[str, tuple[object, object]] = {
    "data": (
        Annotated[
            str,
            typer.Option(
                metavar="DIR", help="Data folder of the stack; ASSAY_DATA, else ./.assay."
            ),
        ],
        "",
    ),
    "as_user": (
        Annotated[str, typer.Option("--as", metavar="USER", help="Act as this user.")],
        "",
    ),
    "namespace": (
        Annotated[
            str,
            typer.Option(metavar="NS", envvar="ASSAY_NAMESPACE", help="Namespace of bare names."),
        ],
        "default",
    ),
    "as_json": (
        Annotated[bool, typer.Option("--json", help="Print the response as JSON.")],
        False,
    ),
}


class Context:
    """What one command was told, and what it needs; made only when it is used.

    Attributes:
        path: The words of the command, without its arguments.
        hints: The next command to try, by the reason of a refusal.
    """

    def __init__(self, data: str, as_user: str, namespace: str, *, as_json: bool) -> None:
        self.data = data
        self.as_user = as_user
        self.namespace = namespace
        self.as_json = as_json
        self.path = "assay"
        self.hints: dict[str, str] = {}

    @cached_property
    def folder(self) -> "DataFolder":
        """The data folder."""
        from assay.folder import DataFolder

        return DataFolder.find(self.data)

    @cached_property
    def client(self) -> "Client":
        """A client that reads what earlier commands wrote."""
        from assay.cli import memory
        from assay.client import Client

        client = Client.connect(self.data, as_user=self.as_user, namespace=self.namespace)
        memory.recall(self.folder, client)
        return client

    @cached_property
    def screen(self) -> "Screen":
        """Where people read."""
        from assay.cli.screen import Screen

        return Screen(self.folder)

    def answer(self, response: "Message", show: Callable[["Screen"], None]) -> None:
        """Print `response` as JSON, or let `show` print it for people."""
        if self.as_json:
            from assay.cli.screen import to_json

            print(to_json(response))
        else:
            show(self.screen)

    def command(self, *words: str, of: Sequence[str] = (), **options: str) -> str:
        """Return a command line of `assay` for the same folder, user and namespace.

        `of` are its arguments: names of others, which may begin with a dash.
        """
        given = {"as": "" if "--as" in words else self.as_user, "data": self.data}
        given["namespace"] = "" if self.namespace == "default" else self.namespace
        if words[0] in _OF_THE_STACK:
            given = {"data": self.data}
        named = {key.removesuffix("_user"): value for key, value in options.items()}
        pairs = {**named, **{key: value for key, value in given.items() if key not in named}}
        flags = [word for key, value in pairs.items() if value for word in (f"--{key}", value)]
        if any(argument.startswith("-") for argument in of):
            return shlex.join(["assay", *words, *flags, "--", *of])
        return shlex.join(["assay", *words, *of, *flags])

    def again(self, option: str, value: str) -> str:
        """Return the command line that was given, with one of its options set to `value`."""
        given, dashes, arguments = _split(sys.argv[1:], "--")
        kept: list[str] = []
        for word in given:
            if kept and kept[-1] == option:
                kept.pop()
            elif not word.startswith(f"{option}="):
                kept.append(word)
        return shlex.join(["assay", *kept, option, value, *dashes, *arguments])

    def close(self) -> None:
        """Close the client, if there is one, and keep how fresh its answers were."""
        if "client" in vars(self):
            from assay.cli import memory

            memory.keep(self.folder, self.client)
            self.client.close()


def command(
    app: typer.Typer, name: str
) -> Callable[[Callable[Concatenate[Context, _P], None]], Callable[Concatenate[Context, _P], None]]:
    """Make a function a command of `app` that takes the shared options too."""

    def register(
        function: Callable[Concatenate[Context, _P], None],
    ) -> Callable[Concatenate[Context, _P], None]:
        def run(*args: _P.args, **kwargs: _P.kwargs) -> None:
            from assay.cli.failures import explained

            data, as_user, namespace = (str(kwargs.pop(key)) for key in _TEXTS)
            context = Context(data, as_user, namespace, as_json=bool(kwargs.pop("as_json")))
            context.path = str(getattr(kwargs.pop("invoked"), "command_path", "assay"))
            with explained(context):
                function(context, *args, **kwargs)

        own = inspect.signature(function, eval_str=True)
        shared = [
            inspect.Parameter(
                key, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
            )
            for key, (annotation, default) in _OPTIONS.items()
        ]
        invoked = inspect.Parameter(
            "invoked", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
        )
        parameters = [*list(own.parameters.values())[1:], *shared, invoked]
        vars(run)["__signature__"] = own.replace(parameters=parameters)
        run.__doc__, run.__name__, run.__annotations__ = function.__doc__, name, {}
        app.command(name)(run)
        return function

    return register


def _split(words: Sequence[str], at: str) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return the words before the first `at`, that one, and those after it."""
    if at not in words:
        return words, (), ()
    place = words.index(at)
    return words[:place], (at,), words[place + 1 :]


_OF_THE_STACK = ("up", "down", "status", "login", "check")
_TEXTS = ("data", "as_user", "namespace")
