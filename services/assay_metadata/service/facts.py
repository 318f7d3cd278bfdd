"""What a command about a model must know of other aggregates of metadata."""

from assay.metadata.v1.resources_pb2 import StageGraph
from assay.names import AliasName, StageName
from assay_events.commands import Commands
from assay_metadata.domain.namespace import NAMESPACE


async def namespace_graph(commands: Commands, name: AliasName | StageName) -> StageGraph:
    """Return the stage graph of a target's namespace, fresh; an alias has none to follow."""
    if isinstance(name, AliasName):
        return StageGraph()
    return (await commands.fold(NAMESPACE, str(name.parent.parent))).state.graph
