"""Handlers of stage graphs, and of giving a target back."""

import assay.metadata.v1.metadata_service_pb2 as api
from assay.names import AliasName, ModelName, NamespaceName, StageName, target
from assay_metadata import ports
from assay_metadata.domain import graph
from assay_metadata.domain.commands import Entrant, RollBack, SetStageGraph
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.namespace import NAMESPACE, SetNamespaceStageGraph
from assay_metadata.domain.state import Model
from assay_metadata.service import answers
from assay_metadata.service.parts import Parts
from assay_serve.call import Context, intent

_PARTS_OF_A_NAMESPACE = 2


class StageGraphs(Parts):
    """Stage graphs are set, and targets rolled back."""

    async def SetStageGraph(
        self, request: api.SetStageGraphRequest, context: Context
    ) -> api.SetStageGraphResponse:
        """Set which moves a model, or a namespace for its models, allows."""
        wanted, asked = graph.parsed(request.graph), intent(request, context)
        if len(request.name.split("/")) == _PARTS_OF_A_NAMESPACE:
            name = str(NamespaceName.parse(request.name))
            of_namespace = SetNamespaceStageGraph(name, wanted)
            done = await self._commands.handle(NAMESPACE, name, of_namespace, asked)
            return api.SetStageGraphResponse(graph=done.state.graph, consistency_token=done.token)
        changed = await self._handle(
            ModelName.parse(request.name), lambda found: SetStageGraph(str(found), wanted), asked
        )
        return api.SetStageGraphResponse(graph=changed.state.graph, consistency_token=changed.token)

    async def RollBack(
        self, request: api.RollBackRequest, context: Context
    ) -> api.RollBackResponse:
        """Ask the approval service about those who held it before, then let them hold it again."""
        name, state = await self._found(target(request.name))
        model = str(name.parent)
        expected = request.expected_version
        command = RollBack(
            model,
            str(name),
            await self._entrants(name, state),
            is_holder_expected=request.HasField("expected_version"),
            expected_number=await self._number(name, expected, "expected_version")
            if expected
            else 0,
            namespace_graph=await self._namespace_graph(name),
        )
        asked = intent(request, context)
        done = await self._commands.handle(MODEL, model, command, asked, resource=str(name))
        return api.RollBackResponse(
            model_version=answers.version(done, done.state.holder(str(name)).number),
            consistency_token=done.token,
        )

    async def _entrants(self, name: AliasName | StageName, state: Model) -> tuple[Entrant, ...]:
        """Return those who held it before, each with its live grant."""
        entrants = list[Entrant]()
        for holder in state.before(str(name)):
            digest = state.versions[holder.number].manifest_digest
            version = name.parent.version(holder.number)
            grant = await ports.check_grant(self._peers, name, version, digest, state)
            approval = grant.approval if grant.is_governed else ""
            entrants.append(Entrant(holder.number, grant.is_governed, approval))
        return tuple(entrants)
