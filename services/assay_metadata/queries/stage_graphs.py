"""Stage graphs, as the read model knows them."""

from collections.abc import Sequence
from typing import TypedDict

from assay.metadata.v1.resources_pb2 import StageGraph, StageRule


class Rule(TypedDict):
    """A rule as a row has it."""

    stage: str
    from_stages: list[str]
    max_holders: int


def rules_of(name: str) -> str:
    """Return SQL for the rules of the graph of what the column `name` names, NULL for none."""
    return f"""(SELECT g.rules FROM stage_graph g WHERE g.name = {name}
    AND g.from_revision <= $1 AND g.to_revision > $1)"""  # noqa: S608 - of a constant


def to_message(rules: Sequence[Rule] | None) -> StageGraph | None:
    """Return the graph of those rules, none where there are none."""
    return StageGraph(rules=[StageRule(**rule) for rule in rules]) if rules else None
