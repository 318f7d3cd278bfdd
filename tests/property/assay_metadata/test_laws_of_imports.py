"""What holds of imports: an export imported is its source, however it is cut into batches."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay.metadata.v1.metadata_service_pb2 as api
from assay.artifact.v1.resources_pb2 import Manifest
from assay.names import AliasName, ModelName, StageName
from assay_events.commands import Done
from assay_events.decider import Refusal
from assay_events.fold import Folded
from assay_metadata.domain.commands import Command, ImportBatch, ImportItem
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Event, Model
from assay_metadata.service import answers
from assay_metadata.service.export_walk import ending, opening
from assay_metadata.service.import_items import Reader, named_items
from tests.property.assay_metadata.scripts import DIGESTS, MODEL_NAME, scripts
from tests.property.assay_metadata.test_laws_of_a_model import live

NAME = ModelName.parse(MODEL_NAME)
MANIFESTS = {digest: Manifest() for digest in DIGESTS}


def exported(state: Model) -> list[api.ImportItem]:
    """Return what Export says of a model in this state."""
    done = Done(Folded(state), ())
    model = answers.model(done)
    held = [name for name, holders in sorted(state.holders.items()) if holders]
    aliases = [answers.alias(done, AliasName.parse(n)) for n in held if "/aliases/" in n]
    stages = [answers.stage(done, StageName.parse(n)) for n in held if "/stages/" in n]
    versions = [answers.version(done, number) for number in sorted(state.versions)]
    return [
        opening(model),
        *(api.ImportItem(model_version=version) for version in versions),
        *ending(model, aliases, stages),
    ]


def imported(items: Sequence[api.ImportItem], cuts: Iterable[int]) -> tuple[list[Event], Model]:
    """Return the events and the state after items that come in these batches."""
    state, events = MODEL.initial, list[Event]()
    places = sorted({0, len(items), *(cut % (len(items) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        request = api.ImportRequest(model=MODEL_NAME, items=items[start:end])
        batch = ImportBatch(MODEL_NAME, read(request, len(state.versions)))
        for event in MODEL.decide(batch, state):
            state = MODEL.evolve(state, event)
            events.append(event)
    return events, state


def read(request: api.ImportRequest, number: int) -> tuple[ImportItem, ...]:
    reader = Reader(NAME, NAME, MANIFESTS, {}, number)
    return tuple(reader.read(field, item) for field, item in named_items(request))


def seen(state: Model) -> object:
    """Return what an export tells of a state."""
    versions = [
        (
            v.fields,
            v.manifest_digest,
            v.is_draft,
            v.is_archived,
            v.registered.metrics,
            dict(v.registered.params),
            v.registered.semantic_version,
        )
        for _, v in sorted(state.versions.items())
    ]
    holders = {
        name: [(holder.number, holder.weight) for holder in held]
        for name, held in state.holders.items()
        if held
    }
    return (state.name, state.fields, state.is_archived, state.graph, versions, holders)


cuts = st.lists(st.integers(0, 50), max_size=8)


@given(scripts, cuts)
def test_an_export_imported_is_its_source(script: list[Command], places: list[int]) -> None:
    _, source = live(script)
    if source.name:
        assert seen(imported(exported(source), places)[1]) == seen(source)


@given(scripts, cuts, cuts)
def test_it_does_not_matter_how_items_are_cut_into_batches(
    script: list[Command], places: list[int], others: list[int]
) -> None:
    _, source = live(script)
    if source.name:
        items = exported(source)
        assert imported(items, places) == imported(items, others)


@given(scripts, st.integers(0, 30))
def test_a_batch_with_a_wrong_item_has_no_event(script: list[Command], place: int) -> None:
    _, source = live(script)
    if not source.name:
        return
    items = exported(source)
    at = place % len(items) + 1
    items[at:at] = [items[0]]  # the model once more
    request = api.ImportRequest(model=MODEL_NAME, items=items)
    with pytest.raises(Refusal) as caught:
        MODEL.decide(ImportBatch(MODEL_NAME, read(request, 0)), MODEL.initial)
    assert caught.value.metadata["item"] == f"items[{at}].model"
