"""No rpc and no trick lets a version into what a policy governs, but a grant."""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from assay import bulk
from assay.client import Client
from assay.errors import AssayError, NotFound
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage, StageHolder
from tests.e2e.conftest import Assay

pytestmark = pytest.mark.timeout(600)  # the first test of a session waits for the founding
POLICY = "{{name: {name}, models: [{models}], stages: [{stages}], aliases: [{aliases}], {more}}}\n"
DIGEST = f"sha256:{'ab' * 32}"


@dataclass(frozen=True)
class Gate:
    """A model with two versions, whose production and champion a policy of one seat governs."""

    assay: Assay
    client: Client
    folder: Path
    model: str

    @property
    def name(self) -> str:
        return f"namespaces/default/models/{self.model}"

    def version(self, number: int = 1) -> str:
        return f"{self.name}/versions/{number}"

    def stage(self, stage: str = "production") -> str:
        return f"{self.name}/stages/{stage}"

    def set_stage(self, stage: str = "production", number: int = 1) -> None:
        request = api.SetStageRequest(name=self.stage(stage), version=self.version(number))
        self.client.metadata.SetStage(request)

    def set_alias(self, alias: str, number: int = 1) -> None:
        request = api.SetAliasRequest(
            name=f"{self.name}/aliases/{alias}", version=self.version(number)
        )
        self.client.metadata.SetAlias(request)

    def holder(self, target: str = "stages/production") -> str:
        try:
            request = api.ResolveRequest(name=f"{self.name}/{target}")
            return self.client.metadata.Resolve(request).model_version.name
        except NotFound:
            return ""

    def govern(self, models: str, more: str = "quorum: 1", **selected: str) -> None:
        words = {"stages": "", "aliases": "", **selected}
        file = self.folder / f"{uuid4()}.yaml"
        file.write_text(POLICY.format(name=f"p-{uuid4()}", models=models, more=more, **words))
        self.assay.apply(file)

    def grant(self, number: int, *target: str) -> str:
        """Have an approval asked for by Lee and signed by Bob; return it."""
        asked = ("approval", "request", f"{self.model}/{number}", *target, "--as", "lee")
        name = str(_of(self.assay.json(*asked), "approval")["name"])
        self.assay.json("approval", "sign", name, "--as", "bob", "--yes")
        return name


def _of(answer: dict[str, object], field: str) -> dict[str, object]:
    found = answer[field]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def client(assay: Assay) -> Iterator[Client]:
    """The owner's client: whom no right is missing, so that only the policy can refuse."""
    with Client.connect(assay.data) as connected:
        yield connected


@pytest.fixture
def gate(assay: Assay, client: Client, model_folder: Path, tmp_path: Path) -> Gate:
    made = Gate(assay, client, tmp_path, f"gate-{uuid4()}")
    for _ in range(2):
        assay.run("register", made.model, str(model_folder), "--as", "ann")
    return made


@pytest.fixture
def governed(gate: Gate) -> Gate:
    gate.govern(gate.model, stages="production", aliases="champion")
    return gate


def refused(move: Callable[[], object], reason: str = "APPROVAL_REQUIRED") -> AssayError:
    with pytest.raises(AssayError) as told:
        move()
    assert (told.value.code, told.value.reason) == ("PERMISSION_DENIED", reason), told.value
    return told.value


def imported(gate: Gate, item: api.ImportItem) -> None:
    bulk.import_items(gate.client, [item], import_id=str(uuid4()))


@pytest.mark.requirement("S5")
@pytest.mark.parametrize(("noun", "label"), [("stage", "production"), ("alias", "champion")])
def test_the_refusal_prints_the_command_that_asks_and_it_asks(
    governed: Gate, noun: str, label: str
) -> None:
    line = (noun, "set", governed.model, label, "1", "--as", "lee")
    told = governed.assay.run(*line, status=1).stderr
    (command,) = [x for x in told.splitlines() if x.startswith("Next: ")]
    words = shlex.split(command.removeprefix("Next: "))
    assert words[:3] == ["assay", "approval", "request"]
    approval = _of(governed.assay.json(*words[1:]), "approval")
    kinds = {"stage": "stages", "alias": "aliases"}
    assert approval["target"] == f"{governed.name}/{kinds[noun]}/{label}"
    error = governed.assay.refused(*line)
    stated = shlex.split(str(json.loads(json.dumps(error["metadata"]))["command"]))
    asked = _of(governed.assay.json(*stated[1:], "--as", "lee"), "approval")
    assert asked["target"] == approval["target"]


def test_no_rpc_that_moves_a_stage_or_alias_passes_the_policy_by(governed: Gate) -> None:
    stage = Stage(name=governed.stage(), version=governed.version())
    several = Stage(name=stage.name, holders=[StageHolder(version=governed.version())])
    alias = Alias(name=f"{governed.name}/aliases/champion", version=governed.version())
    items = [api.ImportItem(stage=each) for each in (stage, several)]
    moves: list[Callable[[], object]] = [
        governed.set_stage,
        lambda: governed.set_alias("champion"),
        lambda: governed.client.metadata.SetStage(
            api.SetStageRequest(name=stage.name, version=stage.version, beside=True, weight=1)
        ),
    ]
    moves += [partial(imported, governed, item) for item in (*items, api.ImportItem(alias=alias))]
    for move in moves:
        refused(move)
    assert not governed.holder()
    assert not governed.holder("aliases/champion")


def test_who_held_it_before_the_policy_is_not_rolled_back_to(gate: Gate) -> None:
    gate.set_stage(number=1)
    gate.set_stage(number=2)
    gate.govern(gate.model, stages="production")
    back = api.RollBackRequest(name=gate.stage())
    refused(lambda: gate.client.metadata.RollBack(back))
    refused(lambda: gate.set_stage(number=2))  # holds it, but by no grant
    gate.client.metadata.UnsetStage(api.UnsetStageRequest(name=gate.stage()))
    refused(lambda: gate.client.metadata.RollBack(back))
    assert not gate.holder()


def test_a_policy_over_all_models_of_the_namespace_governs_what_was_free(gate: Gate) -> None:
    label = f"live-{uuid4()}"
    gate.set_stage(label, 1)
    gate.govern('"*"', stages=label)
    refused(lambda: gate.set_stage(label, 2))
    assert gate.holder(f"stages/{label}") == gate.version(1)  # who holds it stays


def test_archiving_and_restoring_changes_nothing(governed: Gate) -> None:
    metadata = governed.client.metadata
    metadata.ArchiveModelVersion(api.ArchiveModelVersionRequest(name=governed.version()))
    metadata.RestoreModelVersion(api.RestoreModelVersionRequest(name=governed.version()))
    refused(governed.set_stage)
    metadata.ArchiveModel(api.ArchiveModelRequest(name=governed.name))
    metadata.RestoreModel(api.RestoreModelRequest(name=governed.name))
    refused(governed.set_stage)


def test_a_renamed_model_stays_governed_and_its_old_name_is_never_free(governed: Gate) -> None:
    new = f"renamed-{uuid4()}"
    metadata = governed.client.metadata
    metadata.RenameModel(api.RenameModelRequest(name=governed.name, new_model_id=new))
    refused(governed.set_stage)
    by_new_name = f"namespaces/default/models/{new}"
    request = api.SetStageRequest(
        name=f"{by_new_name}/stages/production", version=f"{by_new_name}/versions/1"
    )
    refused(lambda: metadata.SetStage(request))
    with pytest.raises(AssayError) as taken:
        metadata.CreateModel(
            api.CreateModelRequest(parent="namespaces/default", model_id=governed.model)
        )
    assert taken.value.code == "ALREADY_EXISTS"


def test_a_model_that_takes_a_governed_name_is_governed_by_it(gate: Gate) -> None:
    wanted = f"wanted-{uuid4()}"
    gate.govern(wanted, stages="production", aliases="champion")
    gate.client.metadata.RenameModel(api.RenameModelRequest(name=gate.name, new_model_id=wanted))
    told = refused(gate.set_stage)
    assert f"name the model {gate.model} too" in told.message
    refused(lambda: gate.set_alias("champion"))
    item = api.ImportItem(stage=Stage(name=gate.stage(), version=gate.version()))
    refused(partial(imported, gate, item))
    # As the message says: named by both, an approval lets it in.
    gate.govern(f"{wanted}, {gate.model}", stages="production")
    assert not gate.holder()


def test_no_alias_stands_before_a_governed_stage_of_its_name(governed: Gate) -> None:
    told = refused(lambda: governed.set_alias("production"))
    assert "--alias production" in told.message
    governed.set_alias("trial")
    governed.set_stage("champion-too")


@pytest.mark.parametrize("label", ["Production", "pr\u043educti\u043en", "production\u0301"])
def test_another_label_that_looks_alike_is_not_the_governed_one(governed: Gate, label: str) -> None:
    governed.set_stage(label)
    assert governed.holder() == ""


@pytest.mark.parametrize("label", ["prod\u200buction", "production\u2063", " production", "a/b"])
def test_a_label_with_what_nobody_sees_is_refused(governed: Gate, label: str) -> None:
    with pytest.raises(AssayError) as told:
        governed.set_stage(label)
    assert told.value.code == "INVALID_ARGUMENT"


def test_a_label_is_governed_however_its_letters_are_composed(gate: Gate) -> None:
    gate.govern(gate.model, stages='"caf\u00e9"')
    refused(lambda: gate.set_stage("cafe\u0301"))


def test_who_contributes_does_not_move_a_model_out_of_its_tier(gate: Gate) -> None:
    update = ("model", "update", gate.model, "--tier")
    gate.assay.run(*update, "high")
    gate.govern(gate.model, "quorum: 1, tiers: [high]", stages="production")
    refused(gate.set_stage)
    refusal = gate.assay.refused(*update, "low", "--as", "ann")
    assert refusal["reason"] == "RIGHT_REQUIRED"
    assert "policy-admin" in str(refusal["message"])
    gate.assay.run(*update, "high", "--tag", "kept=yes", "--as", "ann")  # nothing changes it
    made = ("model", "create", f"m-{uuid4()}", "--tier", "low", "--as", "ann")
    assert gate.assay.refused(*made)["reason"] == "RIGHT_REQUIRED"
    refused(gate.set_stage)


def test_what_has_no_files_is_asked_about_too(gate: Gate) -> None:
    """A draft, and files elsewhere without a digest, go by the same question to the policies."""
    register = gate.client.metadata.RegisterModelVersion
    elsewhere = ModelVersion(external_uri="oci://registry.example.org/a:1")
    draft = ModelVersion(is_draft=True)
    for version in (elsewhere, draft):
        register(api.RegisterModelVersionRequest(parent=gate.name, model_version=version))
    gate.set_stage("trial", 3)  # not governed
    with pytest.raises(AssayError) as told:
        gate.set_stage("trial", 4)
    assert told.value.reason == "VERSION_DRAFT"
    gate.govern(gate.model, stages="production")
    refused(lambda: gate.set_stage(number=3))
    for number in (3, 4):
        asked = ("approval", "request", f"{gate.model}/{number}", "--stage", "production")
        refusal = gate.assay.refused(*asked, "--as", "lee")
        assert refusal["reason"] == "MANIFEST_MISSING"
        assert str(refusal["next"]).startswith("assay show")


def test_a_grant_of_one_version_lets_no_other_in_and_survives_being_moved_by(
    governed: Gate,
) -> None:
    approval = governed.grant(1, "--stage", "production")
    refused(lambda: governed.set_stage(number=2))
    refused(lambda: governed.set_alias("champion"))
    governed.grant(2, "--stage", "production")
    governed.client.metadata.RollBack(api.RollBackRequest(name=governed.stage()))
    held = api.GetStageRequest(name=governed.stage())
    assert governed.client.metadata.GetStage(held).stage.approval == approval
    governed.assay.run("approval", "revoke", approval, "--reason", "Enough.", "--as", "bob")
    with pytest.raises(AssayError) as told:
        governed.set_stage(number=1)
    assert told.value.code == "PERMISSION_DENIED"


def test_an_imported_model_brings_no_holder_of_a_governed_stage(gate: Gate) -> None:
    """A whole model, under a name that is governed before it is there."""
    name = f"imported-{uuid4()}"
    gate.govern(name, stages="production")
    model = f"namespaces/default/models/{name}"
    version = ModelVersion(
        name=f"{model}/versions/1", number=1, external_uri="s3://a/b", manifest_digest=DIGEST
    )
    items = [
        api.ImportItem(model=Model(name=model)),
        api.ImportItem(model_version=version),
        api.ImportItem(stage=Stage(name=f"{model}/stages/production", version=version.name)),
    ]
    refused(lambda: bulk.import_items(gate.client, items, import_id=str(uuid4())))
