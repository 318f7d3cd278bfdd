"""A few lines that read row writes as Postgres keeps them: the reference for the real machinery."""

from collections.abc import Iterable

from assay_events.projection import OPEN, Add, Carry, Change, Drop, Put, Write

KEYS = {
    "namespace": ("name",),
    "mark": ("name",),
    "model": ("name",),
    "model_name": ("name",),
    "model_tag": ("model", "key"),
    "version": ("model", "number"),
    "version_tag": ("model", "number", "key"),
    "version_param": ("registered", "key"),
    "version_metric": ("registered", "term", "nth"),
    "holding": ("name", "number"),
    "stage_graph": ("name",),
    "history": ("revision",),
}


class Tables:
    """All rows of all tables, temporal ones with the revisions between which they hold."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, object]]] = {name: [] for name in KEYS}

    def write(self, writes: Iterable[Write], revision: int) -> None:
        """Take in what one event means."""
        touched = set[tuple[object, ...]]()
        for write in writes:
            key = self._key(write)
            assert (write.table, *key) not in touched, "an event writes a row once"
            touched.add((write.table, *key))
            self._write(write, key, revision)

    def at(self, table: str, revision: int) -> list[dict[str, object]]:
        """Return the rows of a temporal table that hold at a revision."""
        return [
            row
            for row in self.rows[table]
            if int(str(row["from_"])) <= revision < int(str(row["to"]))
        ]

    def _write(self, write: Write, key: tuple[object, ...], revision: int) -> None:
        rows = self.rows[write.table]
        if isinstance(write, Add):
            assert not [row for row in rows if self._values(write.table, row) == key]
            rows.append(dict(write.row))
            return
        before = [r for r in rows if r["to"] == OPEN and self._values(write.table, r) == key]
        for row in before:
            row["to"] = revision
        match write:
            case Put():
                carried = self._carried(write.carry) if write.carry else {}
                rows.append({**write.row, **carried, "from_": revision, "to": OPEN})
            case Change():
                (row,) = before
                rows.append({**row, **write.changes, "from_": revision, "to": OPEN})
            case Drop():
                assert before, "only what holds can end"

    def _carried(self, carry: Carry) -> dict[str, object]:
        key = self._values(carry.table, dict(carry.key))
        (row,) = (
            r
            for r in self.rows[carry.table]
            if r["to"] == OPEN and self._values(carry.table, r) == key
        )
        return {here: row[there] for here, there in carry.columns.items()}

    def _key(self, write: Write) -> tuple[object, ...]:
        row = write.row if isinstance(write, Add | Put) else write.key
        return self._values(write.table, row)

    def _values(self, table: str, row: object) -> tuple[object, ...]:
        assert isinstance(row, dict)
        return tuple(row[column] for column in KEYS[table])
