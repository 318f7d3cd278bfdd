"""Real services against a model of them: whatever is asked in whatever order, they agree."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from assay.client import Client
from assay.errors import AssayError
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import State
from assay.type.v1.moment_pb2 import Moment

ALIASES = ("champion", "challenger")
STAGES = ("staging", "canary")
NUMBERS = st.integers(min_value=1, max_value=5)


@dataclass(frozen=True)
class Expected:
    """What the model says that the registry holds."""

    is_archived: bool = False
    description: str = ""
    archived_versions: frozenset[int] = frozenset()
    count: int = 0
    holders: dict[str, int] = field(default_factory=dict)


class Registry(RuleBasedStateMachine):
    """One model of the registry, driven through gRPC."""

    client: Client
    digest: str

    @initialize()
    def create(self) -> None:
        """Begin with a fresh model."""
        request = api.CreateModelRequest(parent="namespaces/default", model_id=uuid4().hex)
        answer = self.client.metadata.CreateModel(request)
        self.name = answer.model.name
        self.expected = Expected()
        self.history: list[tuple[int, Expected]] = []
        self.note(answer.model.etag)

    @rule()
    def register(self) -> None:
        """Register the next version, and send the same request again."""
        request = api.RegisterModelVersionRequest(parent=self.name, request_id=str(uuid4()))
        request.model_version.manifest_digest = self.digest
        if self.expected.is_archived:
            self.refused(
                "MODEL_ARCHIVED", lambda: self.client.metadata.RegisterModelVersion(request)
            )
            return
        answer = self.client.metadata.RegisterModelVersion(request)
        again = self.client.metadata.RegisterModelVersion(request)
        assert answer.model_version == again.model_version
        assert answer.model_version.number == self.expected.count + 1
        self.expected = replace(self.expected, count=self.expected.count + 1)
        self.note(answer.model_version.etag)

    @rule(text=st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30))
    def describe(self, text: str) -> None:
        """Change the description."""
        request = api.UpdateModelRequest()
        request.model.name, request.model.description = self.name, text
        request.update_mask.paths.append("description")
        if self.expected.is_archived:
            self.refused("MODEL_ARCHIVED", lambda: self.client.metadata.UpdateModel(request))
            return
        answer = self.client.metadata.UpdateModel(request)
        assert answer.model.description == text
        self.expected = replace(self.expected, description=text)
        self.note(answer.model.etag)

    @rule()
    def archive(self) -> None:
        """Archive the model."""
        answer = self.client.metadata.ArchiveModel(api.ArchiveModelRequest(name=self.name))
        self.expected = replace(self.expected, is_archived=True)
        self.note(answer.model.etag)

    @rule()
    def restore(self) -> None:
        """Restore the model."""
        answer = self.client.metadata.RestoreModel(api.RestoreModelRequest(name=self.name))
        self.expected = replace(self.expected, is_archived=False)
        self.note(answer.model.etag)

    @rule(alias=st.sampled_from(ALIASES), number=NUMBERS)
    def point(self, alias: str, number: int) -> None:
        """Point an alias at a version."""
        name = f"{self.name}/aliases/{alias}"
        request = api.SetAliasRequest(name=name, version=self.version(number))
        self.move(name, number, lambda: self.client.metadata.SetAlias(request).alias.etag)

    @rule(stage=st.sampled_from(STAGES), number=NUMBERS)
    def promote(self, stage: str, number: int) -> None:
        """Move a version into a stage."""
        name = f"{self.name}/stages/{stage}"
        request = api.SetStageRequest(name=name, version=self.version(number))
        self.move(name, number, lambda: self.client.metadata.SetStage(request).stage.etag)

    @rule(stage=st.sampled_from(STAGES), number=NUMBERS)
    def promote_from_a_wrong_holder(self, stage: str, number: int) -> None:
        """Be refused a move whose expected holder is not the holder."""
        name = f"{self.name}/stages/{stage}"
        if self.moved_reason(number) or self.expected.holders.get(name) == number + 1:
            return
        request = api.SetStageRequest(
            name=name, version=self.version(number), expected_version=self.version(number + 1)
        )
        self.refused("HOLDER_MISMATCH", lambda: self.client.metadata.SetStage(request))

    @precondition(lambda self: self.expected.holders and not self.expected.is_archived)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """Empty a held alias or stage."""
        name = data.draw(st.sampled_from(sorted(self.expected.holders)))
        if "/aliases/" in name:
            alias = self.client.metadata.UnsetAlias(api.UnsetAliasRequest(name=name)).alias
            self.forget(name, alias.etag)
        else:
            stage = self.client.metadata.UnsetStage(api.UnsetStageRequest(name=name)).stage
            self.forget(name, stage.etag)

    @invariant()
    def the_registry_agrees_now(self) -> None:
        """Compare everything as of now."""
        if hasattr(self, "expected"):
            self.compare(self.expected, None)

    @invariant()
    def the_registry_agrees_about_the_past(self) -> None:
        """Compare everything as of one earlier revision."""
        if len(getattr(self, "history", [])) > 1:
            revision, expected = self.history[len(self.history) // 2]
            self.compare(expected, revision)

    def compare(self, expected: Expected, revision: int | None) -> None:
        """Compare model, versions and holders as of a revision."""
        moment = None if revision is None else Moment(revision=revision)
        model = self.client.metadata.GetModel(api.GetModelRequest(name=self.name, as_of=moment))
        assert (model.model.state == State.STATE_ARCHIVED) == expected.is_archived
        assert model.model.description == expected.description
        assert model.model.latest_number == expected.count
        versions = self.client.metadata.ListModelVersions(
            api.ListModelVersionsRequest(parent=self.name, as_of=moment, order_by="number")
        )
        assert [v.number for v in versions.model_versions] == list(range(1, expected.count + 1))
        aliases = self.client.metadata.ListAliases(
            api.ListAliasesRequest(parent=self.name, as_of=moment)
        )
        stages = self.client.metadata.ListStages(
            api.ListStagesRequest(parent=self.name, as_of=moment)
        )
        held = {alias.name: alias.version for alias in aliases.aliases}
        held |= {stage.name: stage.version for stage in stages.stages}
        assert held == {name: self.version(n) for name, n in expected.holders.items()}

    def move(self, name: str, number: int, call: Callable[[], str]) -> None:
        """Move, or be refused as the model says."""
        reason = self.moved_reason(number)
        if reason:
            self.refused(reason, call)
            return
        etag = call()
        self.expected = replace(self.expected, holders={**self.expected.holders, name: number})
        self.note(etag)

    def moved_reason(self, number: int) -> str:
        """Return why a move to a version must be refused, empty for none."""
        if number > self.expected.count:
            return "NOT_FOUND"
        return "MODEL_ARCHIVED" if self.expected.is_archived else ""

    def forget(self, name: str, etag: str) -> None:
        """Note that nothing holds a name any more."""
        holders = {key: value for key, value in self.expected.holders.items() if key != name}
        self.expected = replace(self.expected, holders=holders)
        self.note(etag)

    def note(self, etag: str) -> None:
        """Remember what is expected as of a revision.

        A call that changed nothing gives an old one.
        """
        revision = int(etag.strip('"') or 0)
        if revision > max((known for known, _ in self.history), default=0):
            self.history.append((revision, self.expected))

    def version(self, number: int) -> str:
        """Return the name of a version."""
        return f"{self.name}/versions/{number}"

    def refused(self, reason: str, call: Callable[[], object]) -> None:
        """Assert that a call is refused for a reason."""
        with pytest.raises(AssayError) as caught:
            call()
        assert caught.value.reason == reason


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running stack."""
    folder = tmp_path_factory.mktemp("stateful") / "data"
    runner = [sys.executable, "-m", "assay_serve.embedded"]
    subprocess.run([*runner, "up", "--data", str(folder)], check=True, capture_output=True)
    yield folder
    subprocess.run([*runner, "down", "--data", str(folder)], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_registry_agrees_with_a_model_of_it(data: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    with Client.connect(data) as client:
        Registry.client = client
        Registry.digest = client.register("seed", tmp_path / "model.bin").manifest_digest
        run_state_machine_as_test(
            Registry,
            settings=settings(
                max_examples=12,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
