"""What an import did, and whether Assay now says what the source says."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = (
    "model", "version", "gap", "tag", "alias", "stage", "description", "time", "author", "metric",
    "param", "state", "claim", "file", "elsewhere",
)  # fmt: skip
_MOST_LINES = 1000


@dataclass(slots=True)
class Report:
    """Counts and lines; several threads write into it.

    Attributes:
        written: Versions written by this run.
        bytes: Bytes of files downloaded by this run.
        source: Facts that the source tells, by kind.
        same: Facts of those that Assay tells too, by kind.
        differences: What differs, and what to do about it.
        refused: What was not imported, and why.
        notes: What was decided where both cannot say the same.
    """

    written: int = 0
    known: int = 0
    bytes: int = 0
    source: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unlisted: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_clean(self) -> bool:
        """Whether everything was imported, and nothing differs."""
        return not self.differences and not self.refused and not self.unlisted

    def differs(self, line: str) -> None:
        """Note a difference; only the first thousand keep their words."""
        self._add(self.differences, line)

    def refuse(self, line: str) -> None:
        """Note something that was not imported."""
        self._add(self.refused, line)

    def note(self, line: str) -> None:
        """Note a decision."""
        if len(self.notes) < _MOST_LINES:
            self._add(self.notes, line)

    def count_bytes(self, count: int) -> None:
        """Count downloaded bytes."""
        with self._lock:
            self.bytes += count

    def would(self, kind: str, count: int) -> None:
        """Count what a dry run found."""
        with self._lock:
            self.source[kind] += count

    def compared(self, kind: str, *, is_same: bool) -> None:
        """Count a fact of the source, and whether Assay tells it."""
        with self._lock:
            self.source[kind] += 1
            self.same[kind] += is_same

    def to_dict(self) -> Mapping[str, object]:
        """Return the report for JSON."""
        return {
            "is_clean": self.is_clean,
            "written_versions": self.written,
            "known_versions": self.known,
            "downloaded_bytes": self.bytes,
            "facts": {
                kind: {"source": self.source[kind], "same": self.same[kind]}
                for kind in KINDS
                if self.source[kind]
            },
            "differences": self.differences,
            "unlisted_differences": self.unlisted,
            "refused": self.refused,
            "notes": self.notes,
        }

    def _add(self, lines: list[str], line: str) -> None:
        with self._lock:
            if len(lines) < _MOST_LINES:
                lines.append(line)
            else:
                self.unlisted += 1
