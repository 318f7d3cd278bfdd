"""Runs commands as a user would, shows them, and checks how they end."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """Something did not go as the story says."""


class Story:
    """Runs commands as a user would, shows them, and checks how they end."""

    def __init__(self, folder: Path) -> None:
        """Keep everything in `folder`."""
        self.folder = folder
        self.environment = os.environ | {
            "ASSAY_DATA": str(folder / "data"),
            "COLUMNS": os.environ.get("COLUMNS", "110"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        }
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begin the next part of the story."""
        self._chapter += 1
        console.print(f"\n[bold]{self._chapter}. {title}[/bold]")

    def run(self, *words: str, who: str = "") -> str:
        """Run `assay …` and show what it says; it must succeed."""
        return self._run(words, who, refused_for="")

    def refused(self, *words: str, because: str, who: str = "") -> None:
        """Run `assay …`, which must be refused for a reason."""
        self._run(words, who, refused_for=because)

    def ask(self, *words: str) -> dict[str, object]:
        """Return the JSON answer of `assay … --json`, without showing it."""
        done = self._call((*words, "--json"))
        if done.returncode:
            raise DemoFailed(f"`assay {' '.join(words)}` failed: {done.stdout}{done.stderr}")
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    def _run(self, words: tuple[str, ...], who: str, refused_for: str) -> str:
        words = (*words, "--as", who) if who else words
        shown = " ".join(_quoted(word, self.folder) for word in words)
        console.print(f"[cyan]$ assay {shown}[/cyan]")
        done = self._call(words)
        said = (done.stdout + done.stderr).rstrip()
        console.print("\n".join(f"  {line}" for line in said.splitlines()), markup=False)
        if bool(done.returncode) != bool(refused_for):
            raise DemoFailed(f"`assay {shown}` ended with exit code {done.returncode}.")
        if refused_for:
            self._check_reason(words, refused_for)
        return said

    def _check_reason(self, words: tuple[str, ...], reason: str) -> None:
        """Ask again for the reason that programs see."""
        error = json.loads(self._call((*words, "--json")).stdout)["error"]
        if error["reason"] not in {reason, f"REASON_{reason}"}:
            raise DemoFailed(f"Refused for {error['reason']}, not for {reason}.")

    def _call(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "assay.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=180,
        )


def items(answer: dict[str, object], field: str) -> list[dict[str, object]]:
    """Return the messages in a repeated field of an answer."""
    found = answer.get(field, [])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def expect(held: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Fail the demo with a sentence unless the condition held."""
    if not held:
        raise DemoFailed(f"The demo failed: {otherwise}.")


def _quoted(word: str, folder: Path) -> str:
    """Return a word as one would type it, with the demo's folder left out."""
    word = word.replace(f"{folder}/", "")
    return f'"{word}"' if " " in word else word
