"""A grant moves a version in by itself, and its revocation takes it out; refusals are recorded."""

from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message

import assay.metadata.v1.metadata_service_pb2 as api
from assay.approval.v1.events_pb2 import ApprovalGranted, ApprovalRevoked
from assay.approval.v1.resources_pb2 import ApprovalState
from assay.event.v1.envelope_pb2 import Envelope
from assay.metadata.v1.events_pb2 import GrantedMoveRefused, StageSet
from assay.metadata.v1.resources_pb2 import StageGraph, StageRule
from assay_events import codec
from assay_events.decider import subject
from assay_events.envelope import Recorded
from tests.integration.metadata.registry import DIGEST, Registry, eventually, refused
from tests.support.scribe import writing


class Case:
    """One model under a policy, and an approval of its first version."""

    def __init__(self, registry: Registry, target: str = "stages/production") -> None:
        self.registry = registry
        self.model = registry.model()
        self.version = registry.version(self.model).name
        self.target = f"{self.model}/{target}"
        self.approval = f"namespaces/default/approvals/{uuid4()}"
        registry.neighbours.governed.add(self.target)

    @property
    def granted(self) -> ApprovalGranted:
        return ApprovalGranted(
            name=self.approval, version=self.version, manifest_digest=DIGEST, target=self.target
        )

    @property
    def revoked(self) -> ApprovalRevoked:
        return ApprovalRevoked(
            name=self.approval,
            version=self.version,
            target=self.target,
            previous_state=ApprovalState.APPROVAL_STATE_GRANTED,
        )

    def confirm(self) -> None:
        self.registry.neighbours.grant(self.target, self.version, DIGEST, self.approval)

    async def write(self, event: Message) -> None:
        async with writing(self.registry.bus) as scribe:
            await scribe.write(event)

    async def recorded(self) -> list[Recorded]:
        """Return what lies on the model's subject."""
        nats_subject = subject("metadata", "model", self.model)
        async with writing(self.registry.bus) as scribe:
            stored = await scribe.stores["metadata"].read_subject(nats_subject)
        return [codec.decode(message) for message in stored]

    def has(self, type_: str) -> bool:
        token = self.registry.token
        request = api.ListModelHistoryRequest(parent=self.model, at_least_as_fresh=token)
        entries = self.registry.stub().ListModelHistory(request).entries
        return any(entry.type.endswith(f".{type_}") for entry in entries)

    def holder(self) -> str:
        request = api.ResolveRequest(name=self.target)
        try:
            return self.registry.stub().Resolve(request).model_version.name
        except grpc.RpcError:
            return ""


async def test_a_grant_moves_the_version_in(registry: Registry) -> None:
    case = Case(registry)
    case.confirm()
    await case.write(case.granted)
    eventually(lambda: case.holder() == case.version)
    moved = (await case.recorded())[-1]
    assert isinstance(moved.event, StageSet)
    assert moved.event.approval == case.approval
    assert moved.actor.principal == "services/metadata"
    assert moved.envelope.causation_id
    stage = registry.stub().GetStage(api.GetStageRequest(name=case.target)).stage
    assert (stage.approval, stage.actor) == (case.approval, "services/metadata")


async def test_a_grant_moves_an_alias_too(registry: Registry) -> None:
    case = Case(registry, "aliases/champion")
    case.confirm()
    await case.write(case.granted)
    eventually(lambda: case.holder() == case.version)


async def test_a_revocation_takes_the_version_out_and_keeps_it_out(registry: Registry) -> None:
    case = Case(registry)
    case.confirm()
    await case.write(case.granted)
    eventually(lambda: case.holder() == case.version)
    await case.write(case.revoked)
    eventually(lambda: case.has("StageUnset"))
    assert case.holder() == ""
    # An approval service that answered before it knew of the revocation changes nothing.
    with refused("APPROVAL_REVOKED"):
        registry.stage(case.model, "production", 1)


async def test_a_grant_lets_a_version_in_beside_others_and_its_end_takes_it_alone_out(
    registry: Registry,
) -> None:
    case = Case(registry)
    registry.neighbours.governed.discard(case.target)
    rules = [StageRule(stage="production", max_holders=2)]
    graph = api.SetStageGraphRequest(name=case.model, graph=StageGraph(rules=rules))
    registry.stub().SetStageGraph(graph)
    registry.stage(case.model, "production", 1)
    registry.version(case.model)
    case.version = f"{case.model}/versions/2"
    case.confirm()
    await case.write(case.granted)
    eventually(lambda: case.has("StageHoldersSet"))
    stage = registry.stub().GetStage(api.GetStageRequest(name=case.target)).stage
    assert [holder.version[-1] for holder in stage.holders] == ["1", "2"]
    assert stage.holders[1].approval == case.approval
    await case.write(case.revoked)
    eventually(lambda: case.has("GrantEnded"))
    stage = registry.stub().GetStage(api.GetStageRequest(name=case.target)).stage
    assert [holder.version[-1] for holder in stage.holders] == ["1"]


async def test_a_revocation_before_the_move_is_noted(registry: Registry) -> None:
    case = Case(registry)
    await case.write(case.revoked)
    eventually(lambda: case.has("GrantEnded"))
    case.confirm()
    await case.write(case.granted)
    eventually(lambda: case.has("GrantedMoveRefused"))
    refusal = (await case.recorded())[-1].event
    assert isinstance(refusal, GrantedMoveRefused)
    assert refusal.refusal_reason == "REASON_APPROVAL_REVOKED"


async def test_a_grant_that_is_not_confirmed_moves_nothing(registry: Registry) -> None:
    case = Case(registry)
    await case.write(case.granted)
    eventually(lambda: case.has("GrantedMoveRefused"))
    refusal = (await case.recorded())[-1].event
    assert isinstance(refusal, GrantedMoveRefused)
    assert refusal.refusal_reason == "REASON_NOT_GRANTED"
    assert case.holder() == ""


async def test_an_etag_read_after_a_refused_move_is_current(registry: Registry) -> None:
    case = Case(registry)
    registry.neighbours.governed.discard(case.target)
    registry.stage(case.model, "production", 1)
    registry.version(case.model)
    case.version = f"{case.model}/versions/2"
    await case.write(case.granted)
    eventually(lambda: case.has("GrantedMoveRefused"))
    stage = registry.stub().GetStage(api.GetStageRequest(name=case.target)).stage
    move = api.SetStageRequest(name=case.target, version=case.version, etag=stage.etag)
    assert registry.stub().SetStage(move).stage.version == case.version


async def test_a_reaction_waits_for_the_approval_service(registry: Registry) -> None:
    case = Case(registry)
    case.confirm()
    registry.neighbours.away.add("approval")
    await case.write(case.granted)
    with pytest.raises(AssertionError, match="did not come"):
        eventually(lambda: case.holder() != "", 0.5)
    registry.neighbours.away.clear()
    eventually(lambda: case.holder() == case.version)
    assert [type(r.event).__name__ for r in await case.recorded()].count("StageSet") == 1


async def test_an_event_on_a_foreign_subject_moves_nothing(registry: Registry) -> None:
    case, honest = Case(registry), Case(registry)
    case.confirm()
    honest.confirm()
    forged = Envelope(
        id=str(uuid4()),
        type="assay.approval.v1.ApprovalGranted",
        subject=case.approval,
        data=case.granted.SerializeToString(),
    )
    async with writing(registry.bus) as scribe:
        await scribe.write_raw("lineage", forged.SerializeToString(), forged.type, "run.00")
    await honest.write(honest.granted)
    eventually(lambda: honest.holder() == honest.version)
    assert case.holder() == ""
