"""At every revision the tables say what the fold said then."""

import json
from datetime import UTC, datetime

from google.protobuf.message import Message
from hypothesis import given

from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import ModelNameClaimed
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
        if not isinstance(event, ModelNameClaimed):  # a name that leads elsewhere has no etag
            marks[event.name] = revision
        _check_model(tables, state, revision)
        _check_versions(tables, state, revision)
        _check_holdings(tables, state, revision)
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


def _since(row: dict[str, object]) -> int:
    return int(str(row["revision"]))


def _check_model(tables: Tables, state: Model, revision: int) -> None:
    rows = tables.at("model", revision)
    assert len(rows) == bool(state.name)
    for row in rows:
        told = (row["description"], json.loads(str(row["tags"])), row["state"] == "ARCHIVED")
        assert told == (state.description, state.tags, state.is_archived)
        free = state.fields
        said = (row["owners"], row["intended_use"], row["tier"], row["display_name"])
        assert said == (list(free.owners), free.intended_use, free.tier, state.display_name)
    led = {str(row["model"]) for row in tables.rows["model_name"] if _since(row) <= revision}
    assert led == ({state.leads_to} if state.leads_to else set())
    assert {row["key"]: row["value"] for row in tables.at("model_tag", revision)} == state.tags


def _check_holdings(tables: Tables, state: Model, revision: int) -> None:
    told: dict[object, list[dict[str, object]]] = {}
    for row in tables.at("holding", revision):
        told.setdefault(row["name"], []).append(row)
    for rows in told.values():
        rows.sort(key=lambda row: (int(str(row["enter_revision"])), int(str(row["place"]))))
    shown = {
        name: [(row["number"], row["approval"], row["weight"]) for row in rows]
        for name, rows in told.items()
    }
    assert shown == {
        name: [(holder.number, holder.approval, holder.weight) for holder in held]
        for name, held in state.holders.items()
        if held
    }
    graphs = {
        str(row["name"]): json.loads(str(row["rules"]))
        for row in tables.at("stage_graph", revision)
    }
    stages = [rule.stage for rule in state.graph.rules]
    assert [rule["stage"] for rule in graphs.get(state.name, [])] == stages


def _check_versions(tables: Tables, state: Model, revision: int) -> None:
    rows = {row["number"]: row for row in tables.at("version", revision)}
    assert rows.keys() == set(state.versions)
    tags: dict[object, dict[object, object]] = {number: {} for number in rows}
    for row in tables.at("version_tag", revision):
        tags[row["number"]][row["key"]] = row["value"]
    for number, version in state.versions.items():
        row = rows[number]
        assert row["description"] == version.description
        kept = "DRAFT" if version.is_draft else "ACTIVE"
        assert row["state"] == ("ARCHIVED" if version.is_archived else kept)
        assert row["manifest_digest"] == version.manifest_digest
        card = json.loads(str(row["card"]))
        assert card == {part.name: text for part, text in version.fields.card.ListFields()}
        assert json.loads(str(row["tags"])) == tags[number] == version.tags
