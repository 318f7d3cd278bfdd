"""Handlers of namespaces."""

import assay.metadata.v1.metadata_service_pb2 as api
from assay.names import NamespaceName, slug
from assay_metadata.domain.namespace import NAMESPACE, CreateNamespace
from assay_metadata.queries import namespaces
from assay_metadata.service import answers
from assay_metadata.service.parts import Parts
from assay_serve.call import Context, intent
from assay_serve.postgres import LATEST


class Namespaces(Parts):
    """Namespaces: created, read, listed."""

    async def CreateNamespace(
        self, request: api.CreateNamespaceRequest, context: Context
    ) -> api.CreateNamespaceResponse:
        """Create a namespace."""
        name = NamespaceName(slug(request.namespace_id))
        command = CreateNamespace(str(name), request.namespace.description)
        done = await self._commands.handle(NAMESPACE, str(name), command, intent(request, context))
        return api.CreateNamespaceResponse(
            namespace=answers.namespace(done, name), consistency_token=done.token
        )

    async def GetNamespace(
        self, request: api.GetNamespaceRequest, context: Context
    ) -> api.GetNamespaceResponse:
        """Return one namespace."""
        name = NamespaceName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            return api.GetNamespaceResponse(
                namespace=await namespaces.get(snapshot, name), consistency_token=snapshot.token
            )

    async def ListNamespaces(
        self, request: api.ListNamespacesRequest, context: Context
    ) -> api.ListNamespacesResponse:
        """List the namespaces by name."""
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            found, next_page_token = await namespaces.page(snapshot, request)
            return api.ListNamespacesResponse(
                namespaces=found,
                next_page_token=next_page_token,
                consistency_token=snapshot.token,
            )
