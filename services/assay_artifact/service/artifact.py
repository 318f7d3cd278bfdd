"""The calls: each parses its request, lets others do the work, and answers."""

from assay.artifact.v1 import artifact_service_pb2 as api
from assay.artifact.v1.artifact_service_pb2_grpc import ArtifactServiceServicer
from assay.names import ArtifactName, NamespaceName
from assay.type.v1.moment_pb2 import Moment
from assay_artifact import queries
from assay_artifact.domain.blob import BLOB
from assay_artifact.domain.claim import Claim, parse
from assay_artifact.domain.listing import listing
from assay_artifact.ports.blob_store import BlobStore, Signed
from assay_artifact.service import messages
from assay_artifact.service.committing import Committing
from assay_artifact.service.fanout import each
from assay_artifact.service.places import key_of
from assay_artifact.service.sending import Plan, Sending
from assay_artifact.service.storing import Storing
from assay_events import token
from assay_events.commands import Commands
from assay_events.decider import NotFound
from assay_serve.call import Context, intent
from assay_serve.postgres import Reads

_BLOBS_AT_ONCE = 16
_FOLDS_AT_ONCE = 64
_LATEST = Moment()


class ArtifactService(ArtifactServiceServicer):
    """Files by content. Bytes never pass through here: clients get signed URLs to the store."""

    def __init__(self, commands: Commands, reads: Reads, blobs: BlobStore) -> None:
        """Serve out of the stream, the read model and the object store."""
        self._commands = commands
        self._reads = reads
        self._blobs = blobs
        self._sending = Sending(commands, blobs)
        self._storing = Storing(commands, blobs)
        self._committing = Committing(commands, blobs)

    async def BeginUpload(
        self, request: api.BeginUploadRequest, context: Context
    ) -> api.BeginUploadResponse:
        """Say for each claimed blob whether it is stored, and how to send it where it is not."""
        namespace = NamespaceName.parse(request.parent)
        claims = [parse(claim) for claim in request.blobs]
        asked = intent(request, context)

        async def plan(claim: Claim) -> Plan:
            return await self._sending.plan(namespace, claim, asked)

        plans = await each(plan, claims, _BLOBS_AT_ONCE)
        return api.BeginUploadResponse(
            plans=[plan.message for plan in plans],
            consistency_token=token.encode(max(plan.revision for plan in plans)),
        )

    async def SignParts(
        self, request: api.SignPartsRequest, context: Context
    ) -> api.SignPartsResponse:
        """Sign the PUTs of parts of a multipart blob."""
        del context
        namespace = NamespaceName.parse(request.parent)
        claim = parse(request.blob, "blob")
        puts = await self._sending.sign_parts(namespace, claim, request.part_numbers)
        return api.SignPartsResponse(puts=puts)

    async def CompleteBlobs(
        self, request: api.CompleteBlobsRequest, context: Context
    ) -> api.CompleteBlobsResponse:
        """Check sent blobs against the store and record them as stored."""
        namespace = NamespaceName.parse(request.parent)
        claims = [parse(claim) for claim in request.blobs]
        asked = intent(request, context)
        done = await each(
            lambda claim: self._storing.complete(namespace, claim, asked), claims, _BLOBS_AT_ONCE
        )
        return api.CompleteBlobsResponse(
            blobs=[blob for blob, _ in done],
            consistency_token=token.encode(max(revision for _, revision in done)),
        )

    async def CommitManifest(
        self, request: api.CommitManifestRequest, context: Context
    ) -> api.CommitManifestResponse:
        """Commit a manifest all of whose blobs are stored."""
        namespace = NamespaceName.parse(request.parent)
        files = listing(request.manifest.files)
        asked = intent(request, context, etag="")
        manifest, fresh = await self._committing.commit(namespace, files, asked)
        return api.CommitManifestResponse(manifest=manifest, consistency_token=fresh)

    async def GetManifest(
        self, request: api.GetManifestRequest, context: Context
    ) -> api.GetManifestResponse:
        """Return a committed manifest, fresh from the stream, with its files."""
        del context
        name = ArtifactName.parse(request.name)
        with_files = not request.without_files
        manifest, fresh = await self._committing.read(name, with_files=with_files)
        return api.GetManifestResponse(manifest=manifest, consistency_token=fresh)

    async def ListManifests(
        self, request: api.ListManifestsRequest, context: Context
    ) -> api.ListManifestsResponse:
        """List the committed manifests of a namespace, newest first, without their files."""
        namespace = NamespaceName.parse(request.parent)
        async with self._reads.at(request.at_least_as_fresh, _LATEST, context) as snapshot:
            page = await queries.list_manifests(snapshot, str(namespace), request)
        return api.ListManifestsResponse(
            manifests=page.manifests,
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def GetBlob(self, request: api.GetBlobRequest, context: Context) -> api.GetBlobResponse:
        """Return what is known of one blob."""
        name = ArtifactName.parse(request.name)
        async with self._reads.at(request.at_least_as_fresh, _LATEST, context) as snapshot:
            blob = await queries.get_blob(snapshot, str(name))
        return api.GetBlobResponse(blob=blob, consistency_token=snapshot.token)

    async def SignDownloads(
        self, request: api.SignDownloadsRequest, context: Context
    ) -> api.SignDownloadsResponse:
        """Sign the GETs of blobs that are stored in the namespace."""
        del context
        namespace = NamespaceName.parse(request.parent)
        names = [ArtifactName.of(namespace, digest) for digest in request.digests]
        gets = await each(self._sign_download, names, _FOLDS_AT_ONCE)
        return api.SignDownloadsResponse(gets=[messages.signed(get) for get in gets])

    async def _sign_download(self, name: ArtifactName) -> Signed:
        if not (await self._commands.fold(BLOB, str(name))).state.is_stored:
            raise NotFound(str(name))
        return self._blobs.sign_get(key_of(name))
