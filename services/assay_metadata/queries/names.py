"""Where the names of models lead: a renamed model is found by each name that it ever had."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from assay.names import AliasName, ModelName, StageName, VersionName
from assay_events.decider import NotFound
from assay_serve.postgres import Snapshot

Name = TypeVar("Name", bound=ModelName | VersionName | AliasName | StageName)
_Answer = TypeVar("_Answer")

LEADS_TO = "SELECT n.model FROM model_name n WHERE n.name = $2 AND n.revision <= $1"


def model_of(name: ModelName | VersionName | AliasName | StageName) -> ModelName:
    """Return the model that a name is about."""
    return ModelName(name.namespace, name.model)


def under(name: Name, model: ModelName) -> Name:
    """Return the same name below another model."""
    return replace(name, namespace=model.namespace, model=model.model)


async def follow(
    snapshot: Snapshot, name: Name, read: Callable[[Snapshot, Name], Awaitable[_Answer]]
) -> _Answer:
    """Read what has this name, or has it by a name that its model had at another time."""
    try:
        return await read(snapshot, name)
    except NotFound:  # a name that leads elsewhere is no model's: only then it is looked up
        led: str | None = await snapshot.db.fetchval(
            LEADS_TO, snapshot.revision, str(model_of(name))
        )
        if led is None:
            raise
        return await read(snapshot, under(name, ModelName.parse(led)))
