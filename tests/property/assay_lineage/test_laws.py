"""Laws of runs: each is recorded at most once, and its edges lead through it."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from assay.event.v1.envelope_pb2 import Envelope
from assay.lineage.v1.events_pb2 import RunRecorded
from assay.lineage.v1.resources_pb2 import Code, Dataset, Run
from assay.names import RunName
from assay.type.v1.metric_pb2 import Metric
from assay_events.envelope import Recorded, Stored
from assay_events.projection import Add, Put
from assay_events.spec import run as run_script
from assay_lineage.domain.run import RUN, Record
from assay_lineage.projection import apply

NAME = RunName.parse("namespaces/default/runs/5f2a0000-0000-4000-8000-000000000001")
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)

versions = st.builds(
    "namespaces/default/models/{}/versions/{}".format, st.sampled_from("abé"), st.integers(0, 3)
)
datasets = st.builds(
    Dataset,
    display_name=st.sampled_from(["", "x"]),
    digest=st.integers(0, 3).map(lambda number: "sha256:" + f"{number:02x}" * 32),
)
runs = st.builds(
    Run,
    params=st.dictionaries(st.text(), st.text(), max_size=3),
    metrics=st.lists(st.builds(Metric, key=st.text(max_size=2), value=st.floats()), max_size=2),
    code=st.builds(Code, repository=st.sampled_from(["", "r"]), commit=st.sampled_from(["", "c"])),
    input_datasets=st.lists(datasets, max_size=3),
    input_versions=st.lists(versions, max_size=3),
    output_versions=st.lists(versions, max_size=3),
)


@given(st.lists(runs, max_size=5))
def test_a_run_is_recorded_at_most_once(script: list[Run]) -> None:
    history = run_script(RUN, [Record(NAME, run) for run in script])
    assert len(history) <= 1
    assert RUN.fold(history).name == (str(NAME) if history else "")


@given(runs)
def test_every_edge_of_a_run_begins_or_ends_there_and_comes_once(run: Run) -> None:
    for event in run_script(RUN, [Record(NAME, run)]):
        writes = list(apply(recorded(event)))
        rows = [write.row for write in writes if isinstance(write, Add) and write.table == "edge"]
        edges = [(row["from_node"], row["to_node"]) for row in rows]
        assert len(set(edges)) == len(edges)
        assert all(edge.count(str(NAME)) == 1 for edge in edges)
        expected = len(event.input_datasets) + len(event.input_versions)
        expected += len(event.output_versions) + bool(event.code.commit)
        assert len(edges) == expected
        nodes = [write.row["name"] for write in writes if isinstance(write, Put)]
        assert len(set(nodes)) == len(nodes)


def recorded(event: RunRecorded) -> Recorded:
    envelope = Envelope(subject=event.name)
    envelope.time.FromDatetime(NOW)
    return Recorded(envelope, event, Stored("assay.v1.lineage.run.x", "", b"", 7, NOW))
