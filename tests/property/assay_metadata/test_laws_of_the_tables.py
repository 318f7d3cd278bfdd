"""At every revision the tables say what the fold said then."""

import json
from datetime import UTC, datetime

from google.protobuf.message import Message
from hypothesis import given

from assay.event.v1.envelope_pb2 import Envelope
from assay.type.v1.actor_pb2 import Actor
from assay_events.envelope import Recorded, Stored
from assay_events.spec import run
from assay_metadata.domain.commands import Command
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Event, Model
from assay_metadata.projection.rows import METADATA
from tests.property.assay_metadata.scripts import scripts
from tests.property.assay_metadata.tables import Tables

NOW = datetime(2026, 3, 3, tzinfo=UTC)


def recorded(event: Event, revision: int) -> Recorded:
    """Return an event as the stream gives it."""
    message: Message = event
    envelope = Envelope(
        type=message.DESCRIPTOR.full_name, subject=event.name, actor=Actor(principal="p")
    )
    stored = Stored("assay.v1.metadata.model.00", envelope.type, b"", revision, NOW)
    return Recorded(envelope, event, stored)


def filled(history: list[Event]) -> Tables:
    """Return the tables after a history; the first event has revision 1."""
    tables = Tables()
    for revision, event in enumerate(history, 1):
        tables.write(METADATA.apply(recorded(event, revision)), revision)
    return tables


@given(scripts)
def test_the_tables_tell_each_state_there_ever_was(script: list[Command]) -> None:
    history = run(MODEL, script)
    tables = filled(history)
    marks: dict[str, int] = {}
    state = MODEL.initial
    for revision, event in enumerate(history, 1):
        state = MODEL.evolve(state, event)
        marks[event.name] = revision
        _check_model(tables, state, revision)
        _check_versions(tables, state, revision)
        holdings = {row["name"]: row["number"] for row in tables.at("holding", revision)}
        held = {name: holder.number for name, holder in state.holders.items() if holder.number}
        assert holdings == held
        etags = {row["name"]: row["revision"] for row in tables.at("mark", revision)}
        etags |= {
            f"{row['model']}/versions/{row['number']}": row["revision"]
            for row in tables.at("version", revision)
        }
        assert etags == marks


@given(scripts)
def test_the_history_has_one_row_an_event(script: list[Command]) -> None:
    history = run(MODEL, script)
    rows = filled(history).rows["history"]
    assert [row["revision"] for row in rows] == list(range(1, len(history) + 1))
    assert [row["resource"] for row in rows] == [event.name for event in history]


@given(scripts)
def test_rows_of_one_key_never_hold_together(script: list[Command]) -> None:
    history = run(MODEL, script)
    tables = filled(history)
    for revision in range(1, len(history) + 1):
        for table in ("model_tag", "version_tag", "holding", "mark"):
            rows = tables.at(table, revision)
            keys = [
                tuple(row[c] for c in ("name", "model", "number", "key") if c in row)
                for row in rows
            ]
            assert len(keys) == len(set(keys))


def _check_model(tables: Tables, state: Model, revision: int) -> None:
    rows = tables.at("model", revision)
    assert len(rows) == bool(state.name)
    for row in rows:
        told = (row["description"], json.loads(str(row["tags"])), row["state"] == "ARCHIVED")
        assert told == (state.description, state.tags, state.is_archived)
    assert {row["key"]: row["value"] for row in tables.at("model_tag", revision)} == state.tags


def _check_versions(tables: Tables, state: Model, revision: int) -> None:
    rows = {row["number"]: row for row in tables.at("version", revision)}
    assert rows.keys() == set(state.versions)
    tags: dict[object, dict[object, object]] = {number: {} for number in rows}
    for row in tables.at("version_tag", revision):
        tags[row["number"]][row["key"]] = row["value"]
    for number, version in state.versions.items():
        row = rows[number]
        assert row["description"] == version.description
        assert (row["state"] == "ARCHIVED") is version.is_archived
        assert json.loads(str(row["tags"])) == tags[number] == version.tags
