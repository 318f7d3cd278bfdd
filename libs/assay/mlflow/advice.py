"""What to do about a difference: the command that makes Assay say what the source says."""

import shlex
from dataclasses import dataclass, field

from assay.mlflow.facts import Difference

_SHOWN_CHARACTERS = 200


@dataclass(slots=True)
class Adviser:
    """Names the next command for each difference.

    Attributes:
        governed: Labels that only an approval can set, by model, kind and label.
    """

    options: tuple[str, ...] = ()
    governed: set[tuple[str, str, str]] = field(default_factory=set)

    def advise(self, model: str, number: int, wrong: Difference) -> str:
        """Return what to do about what differs in a model, or in one of its versions."""
        title = f"{model}/{number}" if number else model
        if (model, wrong.kind, wrong.key) in self.governed:
            return self._run(
                "approval", "request", f"{model}/{wrong.source}", f"--{wrong.kind}", wrong.key
            )
        match wrong.kind:
            case "alias" | "stage" if wrong.source:
                return self._run(wrong.kind, "set", model, wrong.key, wrong.source)
            case "alias" | "stage":
                return self._run(wrong.kind, "unset", model, wrong.key)
            case "state":
                verb = "archive" if wrong.source == "archived" else "restore"
                return self._run("version", verb, title)
            case "tag":
                kind = "version" if number else "model"
                if wrong.source:
                    return self._run(
                        kind, "update", title, "--tag", f"{wrong.key}={_short(wrong.source)}"
                    )
                return self._run(kind, "update", title, "--untag", wrong.key)
            case "description":
                kind = "version" if number else "model"
                return self._run(kind, "update", title, "--description", _short(wrong.source))
            case _:
                return "It is sealed in Assay: register what the source has now as another version."

    def archive(self, kind: str, title: str) -> str:
        """Return how to archive what the source no longer has."""
        return self._run(kind, "archive", title)

    def _run(self, *words: str) -> str:
        return f"Next: {shlex.join(['assay', *words, *self.options])}"


def _short(text: str) -> str:
    """Return text as it is, or a word for it where a line could not hold it."""
    return text if len(text) <= _SHOWN_CHARACTERS and text.isprintable() else "TEXT"
