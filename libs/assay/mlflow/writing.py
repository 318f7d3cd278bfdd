"""Batches into Assay: each written once, whoever sends it how often."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import grpc

from assay.calls import RetryPolicy, is_retryable
from assay.client import Client
from assay.errors import AssayError, NotFound, from_rpc
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage, StageHolder
from assay.mlflow.faults import quoted, unusable
from assay.mlflow.options import import_id
from assay.names import AliasName, ModelName, StageName

MOST_ITEMS = 250
MOST_BYTES = 2 * 1024 * 1024
_MODEL_BATCH = 1
_LABEL_BATCH = 2**40  # far behind the last version
_SECONDS = 60.0
_CATCH_UP_SECONDS = 10.0
_OVERTAKEN = frozenset({"REQUEST_ID_REUSED", "ALREADY_EXISTS", "LOST_RACE"})


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one model of a source into Assay.

    Batch 1 is the model, batch N + 1 begins with version N, and each alias and stage has one of its
    own: so a batch that was written is known again, and never holds two things.
    """

    client: Client
    source: str
    name: str
    place: ModelName
    patience_seconds: float = _CATCH_UP_SECONDS

    def existing(self) -> Model | None:
        """Return the model as it stands in Assay, None where it is not there yet.

        Raises:
            Unusable: It is there and did not come from this source.
        """
        try:
            found = self.client.metadata.GetModel(api.GetModelRequest(name=str(self.place))).model
        except NotFound:
            return None
        theirs = (found.imported.source, found.imported.claims.get("name", ""))
        if theirs != (self.source, self.name) or found.name != str(self.place):
            raise unusable(
                f"{quoted(self.name)} is in Assay already and was not imported from {self.source}: "
                "import it into another namespace, with --namespace."
            )
        return found

    def latest(self) -> int:
        """Return the number of the latest version in Assay, 0 for none."""
        found = self.existing()
        return found.latest_number if found else 0

    def write_model(self, model: Model) -> None:
        """Write the model, unless it is there."""
        try:
            self._send(_MODEL_BATCH, [api.ImportItem(model=model)])
        except AssayError as error:
            if not _is_overtaken(error) or not self._caught_up(self.existing):
                raise

    def write_versions(self, versions: Sequence[ModelVersion]) -> int:
        """Write versions with consecutive numbers; return how many were written now."""
        left, written = list(versions), 0
        while left:
            items = [api.ImportItem(model_version=version) for version in left]
            try:
                return written + self._send(left[0].number + 1, items).written_versions
            except AssayError as error:
                if not _is_overtaken(error) or not self._caught_up(
                    partial(self._has, left[0].number)
                ):
                    raise
            # An earlier run, or one beside this one, wrote some of them.
            latest = self.latest()
            left = [version for version in left if version.number > latest]
        return written

    def write_alias(self, alias: str, number: int) -> bool:
        """Point an alias at a version; return whether that was done now, and never before."""
        name = AliasName(self.place.namespace, self.place.model, alias)
        item = Alias(name=str(name), version=str(self.place.version(number)))
        return not self._send(_batch("alias", alias, number), [api.ImportItem(alias=item)]).is_known

    def write_stage(self, stage: str, number: int) -> bool:
        """Move a version into a stage; return whether that was done now, and never before."""
        name = StageName(self.place.namespace, self.place.model, stage)
        holder = StageHolder(version=str(self.place.version(number)))
        item = Stage(name=str(name), version=holder.version, holders=[holder])
        return not self._send(_batch("stage", stage, number), [api.ImportItem(stage=item)]).is_known

    def _send(self, batch: int, items: Sequence[api.ImportItem]) -> api.ImportResponse:
        """Have one batch written, or met again."""
        request = api.ImportRequest(
            model=str(self.place),
            import_id=import_id(self.source, self.place.namespace, self.name),
            batch=batch,
            items=items,
        )
        policy = RetryPolicy(deadline_seconds=_SECONDS)
        for attempt in range(1, policy.max_attempts + 1):
            try:
                (answer,) = self.client.metadata.Import(iter([request]), timeout=_SECONDS)
            except grpc.RpcError as failure:
                error = from_rpc(failure)
                if attempt == policy.max_attempts or not is_retryable(error):
                    raise error from failure
                time.sleep(policy.delay_seconds(attempt, error))
            else:
                self.client.saw(answer.consistency_token)
                return answer
        raise AssertionError

    def _has(self, number: int) -> bool:
        return self.latest() >= number

    def _caught_up(self, is_there: Callable[[], object]) -> bool:
        """Wait until the read model shows what the refusal knew; say whether it does."""
        until = time.monotonic() + self.patience_seconds
        while not is_there():
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True


def _is_overtaken(error: AssayError) -> bool:
    """Say whether a batch may have been refused because another run was quicker."""
    return error.reason in _OVERTAKEN or any(field.endswith(".number") for field in error.fields)


def _batch(kind: str, label: str, number: int) -> int:
    """Return the number of the batch that sets an alias or stage: the same for the same move."""
    digest = hashlib.sha256(f"{kind}\n{label}\n{number}".encode()).digest()
    return _LABEL_BATCH + int.from_bytes(digest[:7])
