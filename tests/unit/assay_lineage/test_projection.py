"""What versions have of their files in the graph."""

from datetime import UTC, datetime

from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import ModelVersionRegistered, ModelVersionSealed
from assay_events.envelope import Recorded, Stored
from assay_events.projection import Add
from assay_lineage.projection import LINEAGE, apply

TIME = datetime(2026, 3, 3, tzinfo=UTC)
VERSION = "namespaces/default/models/churn/versions/1"
RUN = "namespaces/default/runs/11111111-1111-4111-8111-111111111111"
DIGEST = f"sha256:{'1' * 64}"
FILES = f"namespaces/default/artifacts/sha256-{'1' * 64}"


def edges(event: ModelVersionRegistered | ModelVersionSealed) -> set[tuple[object, object]]:
    """Return the edges that an event writes."""
    stored = Stored("assay.v1.metadata.model.0", "", b"", 7, TIME)
    writes = apply(Recorded(Envelope(subject=event.name), event, stored))
    rows = [write.row for write in writes if isinstance(write, Add) and write.table == "edge"]
    return {(row["from_node"], row["to_node"]) for row in rows}


def test_a_version_is_made_from_its_files_and_its_run() -> None:
    registered = ModelVersionRegistered(name=VERSION, manifest_digest=DIGEST, run=RUN)
    assert edges(registered) == {(FILES, VERSION), (RUN, VERSION)}


def test_a_version_is_made_from_its_parents() -> None:
    parents = [f"namespaces/default/models/base/versions/{number}" for number in (1, 2)]
    registered = ModelVersionRegistered(name=VERSION, is_draft=True, parent_versions=parents)
    assert edges(registered) == {(parent, VERSION) for parent in parents}


def test_a_draft_has_no_files_until_it_is_sealed() -> None:
    draft = ModelVersionRegistered(name=VERSION, is_draft=True, run=RUN)
    assert edges(draft) == {(RUN, VERSION)}
    assert edges(ModelVersionSealed(name=VERSION, manifest_digest=DIGEST)) == {(FILES, VERSION)}
    assert {ModelVersionRegistered, ModelVersionSealed} <= set(LINEAGE.events or ())
