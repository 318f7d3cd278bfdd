"""Aliases and stages, and who held them when, as the read model knows them."""

from typing import TypeAlias, TypeVar

import asyncpg

from assay.metadata.v1.metadata_service_pb2 import (
    ListAliasesRequest,
    ListHoldingsRequest,
    ListStagesRequest,
)
from assay.metadata.v1.resources_pb2 import Alias, Holding, Stage, StageHolder
from assay.names import AliasName, ModelName, StageName
from assay_events.decider import NotFound
from assay_events.projection import OPEN
from assay_metadata.queries import models
from assay_serve import paging
from assay_serve.filtering import Kind
from assay_serve.paging import Key, Orders, Rows
from assay_serve.postgres import Snapshot

Target: TypeAlias = Alias | Stage
_Target = TypeVar("_Target", Alias, Stage)

OF_ONE_TARGET = """
FROM holding o WHERE o.name = h.name AND o.from_revision <= $1 AND o.to_revision > $1"""
# A row a target: its first holder's, with all of them in `holders`.
SELECT_TARGET = f"""
SELECT h.name, h.model, h.label, h.number, h.approval, h.actor, h.time, k.revision,
       (SELECT jsonb_agg(jsonb_build_object(
            'number', o.number, 'weight', o.weight, 'approval', o.approval)
            ORDER BY o.enter_revision, o.place) {OF_ONE_TARGET}) AS holders
FROM holding h JOIN mark k ON k.name = h.name AND k.from_revision <= $1 AND k.to_revision > $1
WHERE h.from_revision <= $1 AND h.to_revision > $1 AND NOT EXISTS (
    SELECT {OF_ONE_TARGET}
    AND (o.enter_revision, o.place) < (h.enter_revision, h.place))
"""  # noqa: S608 - put together from constants
ONE = f"{SELECT_TARGET} AND h.name = $2"
OF_MODEL = f"{SELECT_TARGET} AND h.model = $2 AND h.kind = $3"
BY_LABEL = Orders({"label": Key("h.label")}, default="label", tie=Key("h.label"))

# The event that ended a holding tells when.
SELECT_HOLDING = """
SELECT h.name, h.model, h.number, h.weight, h.approval, h.actor, h.time, h.from_revision,
       h.to_revision, e.time AS to_time
FROM holding h LEFT JOIN history e ON e.revision = h.to_revision
WHERE h.from_revision <= $1 AND h.name = $2
"""
BY_REVISION = Orders(
    {"from_revision": Key("h.from_revision", Kind.INTEGER)},
    default="from_revision",
    tie=Key("h.number", Kind.INTEGER),
)


async def get_alias(snapshot: Snapshot, name: AliasName) -> Alias:
    """Return what an alias points at."""
    return _to_message(Alias, await _get(snapshot, name))


async def get_stage(snapshot: Snapshot, name: StageName) -> Stage:
    """Return who holds a stage."""
    return _to_stage(await _get(snapshot, name))


async def alias_page(
    snapshot: Snapshot, parent: ModelName, request: ListAliasesRequest
) -> tuple[list[Alias], str]:
    """Return one page of the aliases of a model, and the token of the next."""
    found = await _page(snapshot, parent, "alias", request)
    return [_to_message(Alias, row) for row in found.rows], found.next_page_token


async def stage_page(
    snapshot: Snapshot, parent: ModelName, request: ListStagesRequest
) -> tuple[list[Stage], str]:
    """Return one page of the held stages of a model, and the token of the next."""
    found = await _page(snapshot, parent, "stage", request)
    return [_to_stage(row) for row in found.rows], found.next_page_token


async def holding_page(
    snapshot: Snapshot, parent: AliasName | StageName, request: ListHoldingsRequest
) -> tuple[list[Holding], str]:
    """Return one page of who held an alias or stage, oldest first, and the token of the next."""
    arguments = [snapshot.revision, str(parent)]
    found = await paging.fetch(snapshot.db, SELECT_HOLDING, arguments, request, BY_REVISION)
    if not found.rows:
        await models.require(snapshot, parent.parent)
    return [_to_holding(row) for row in found.rows], found.next_page_token


async def _get(snapshot: Snapshot, name: AliasName | StageName) -> asyncpg.Record:
    row = await snapshot.db.fetchrow(ONE, snapshot.revision, str(name))
    if row is None:
        raise NotFound(str(name))
    return row


async def _page(
    snapshot: Snapshot,
    parent: ModelName,
    kind: str,
    request: ListAliasesRequest | ListStagesRequest,
) -> Rows:
    arguments = [snapshot.revision, str(parent), kind]
    found = await paging.fetch(snapshot.db, OF_MODEL, arguments, request, BY_LABEL)
    if not found.rows:
        await models.require(snapshot, parent)
    return found


def _to_message(target: type[_Target], row: asyncpg.Record) -> _Target:
    return target(
        name=row["name"],
        etag=f'"{row["revision"]}"',
        create_time=row["time"],
        version=f"{row['model']}/versions/{row['number']}",
        approval=row["approval"],
        actor=row["actor"],
    )


def _to_stage(row: asyncpg.Record) -> Stage:
    stage = _to_message(Stage, row)
    stage.holders.extend(
        StageHolder(
            version=f"{row['model']}/versions/{holder['number']}",
            weight=holder["weight"],
            approval=holder["approval"],
        )
        for holder in row["holders"]
    )
    return stage


def _to_holding(row: asyncpg.Record) -> Holding:
    is_open = row["to_revision"] == OPEN
    return Holding(
        name=row["name"],
        version=f"{row['model']}/versions/{row['number']}",
        weight=row["weight"],
        approval=row["approval"],
        from_revision=row["from_revision"],
        to_revision=0 if is_open else row["to_revision"],
        from_time=row["time"],
        to_time=None if is_open else row["to_time"],
        actor=row["actor"],
    )
