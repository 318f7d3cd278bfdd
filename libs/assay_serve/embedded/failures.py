"""What the embedded stack says when it can't go on."""

from pathlib import Path


class Refused(Exception):
    """The stack can't start or stop here; the message says why and what to do, in one sentence."""


class Failed(Exception):
    """A program of the stack did not come up; its log says why."""

    def __init__(self, sentence: str, log: Path) -> None:
        super().__init__(sentence)
        self.log = log

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the log."""
        try:
            text = self.log.read_bytes()[-16_000:].decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])
