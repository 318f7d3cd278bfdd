"""How files become a manifest: all blobs stored, its own bytes in the store, then one event."""

from assay.artifact.v1 import resources_pb2 as artifact
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import ArtifactName, NamespaceName
from assay_artifact.domain.blob import BLOB
from assay_artifact.domain.listing import MAX_LISTING_BYTES, Listing, from_bytes
from assay_artifact.domain.manifest import MANIFEST, CommitManifest
from assay_artifact.ports.blob_store import BlobStore, Missing
from assay_artifact.service import messages
from assay_artifact.service.fanout import each
from assay_artifact.service.places import key_of
from assay_events.commands import Commands, Intent
from assay_events.decider import NotFound
from assay_events.errors import DataLoss
from assay_trust import digests

_FOLDS_AT_ONCE = 64


class Committing:
    """Commits manifests and reads them back."""

    def __init__(self, commands: Commands, blobs: BlobStore) -> None:
        """Record through `commands`; keep the bytes in `blobs`."""
        self._commands = commands
        self._blobs = blobs

    async def commit(
        self, namespace: NamespaceName, listing: Listing, intent: Intent
    ) -> tuple[artifact.Manifest, str]:
        """Return the committed manifest and its consistency token."""
        data = listing.to_bytes()
        digest = digests.sha256(data)
        name = ArtifactName.of(namespace, digest)
        folded = await self._commands.fold(MANIFEST, str(name))
        if not folded.state.name:
            missing = await self._missing(namespace, listing)
            if not missing:
                await self._blobs.put(key_of(name), data)
            command = CommitManifest(
                manifest=str(name),
                manifest_digest=digest,
                file_count=len(listing.entries),
                size_bytes=listing.size_bytes,
                missing=missing,
            )
            done = await self._commands.handle(MANIFEST, str(name), command, intent)
            folded = done.folded
        return messages.manifest(folded, listing), folded.token

    async def read(self, name: ArtifactName, *, with_files: bool) -> tuple[artifact.Manifest, str]:
        """Return a committed manifest, fresh from the stream, and its consistency token."""
        folded = await self._commands.fold(MANIFEST, str(name))
        if not folded.state.name:
            raise NotFound(str(name))
        listing = await self._listing(name) if with_files else Listing(())
        return messages.manifest(folded, listing), folded.token

    async def _missing(self, namespace: NamespaceName, listing: Listing) -> tuple[str, ...]:
        """Return the digests of the files whose blobs are not stored with that size."""
        sizes = {entry.digest: entry.size_bytes for entry in listing.entries}

        async def is_stored(digest: str) -> bool:
            name = str(ArtifactName.of(namespace, digest))
            blob = (await self._commands.fold(BLOB, name)).state
            return blob.is_stored and blob.size_bytes == sizes[digest]

        stored = await each(is_stored, sizes, _FOLDS_AT_ONCE)
        return tuple(digest for digest, is_there in zip(sizes, stored, strict=True) if not is_there)

    async def _listing(self, name: ArtifactName) -> Listing:
        """Return the files out of the bytes in the store, which must be the committed ones."""
        try:
            data = await self._blobs.get(key_of(name), MAX_LISTING_BYTES + 1)
        except Missing:
            raise _damaged(name, "are gone") from None
        if digests.sha256(data) != name.digest:
            raise _damaged(name, "were changed")
        return from_bytes(data)


def _damaged(name: ArtifactName, how: str) -> DataLoss:
    return DataLoss(
        Reason.REASON_DIGEST_MISMATCH,
        f"Restore {name} from a backup of the store: its bytes {how}.",
        name=str(name),
    )
