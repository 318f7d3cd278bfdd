"""How a sent blob is recorded: its parts put together, and the store's proof checked."""

from contextlib import suppress

from assay.artifact.v1 import resources_pb2 as artifact
from assay.names import ArtifactName, NamespaceName
from assay_artifact.domain.blob import BLOB, Blob, StoreBlob, check_claim
from assay_artifact.domain.claim import Claim
from assay_artifact.ports.blob_store import BlobStore, Missing, Occupied, WrongParts
from assay_artifact.service import messages
from assay_artifact.service.places import key_of
from assay_artifact.service.proving import bytes_missing, is_there, mismatch, proof_of, prove
from assay_artifact.service.sending import absent
from assay_events.commands import Commands, Intent
from assay_events.errors import Unavailable
from assay_events.fold import Folded

_SHOWN = 10


class Storing:
    """Checks sent blobs and records them."""

    def __init__(self, commands: Commands, blobs: BlobStore) -> None:
        """Check against `blobs`; record through `commands`."""
        self._commands = commands
        self._blobs = blobs

    async def complete(
        self, namespace: NamespaceName, claim: Claim, intent: Intent
    ) -> tuple[artifact.Blob, int]:
        """Return the blob, stored and proven, and the revision that says so."""
        name = ArtifactName.of(namespace, claim.digest)
        folded = await self._commands.fold(BLOB, str(name))
        if not folded.state.is_stored:
            folded = await self._record(name, claim, folded.state, intent)
        check_claim(str(name), folded.state, claim.size_bytes, claim.parts_digest)
        return messages.blob(folded), folded.revision

    async def _record(
        self, name: ArtifactName, claim: Claim, state: Blob, intent: Intent
    ) -> Folded[Blob]:
        if not claim.is_single:
            check_claim(str(name), state, claim.size_bytes, claim.parts_digest)
            await self._assemble(name, claim, state)
        head = await prove(self._blobs, name, claim)
        command = StoreBlob(
            blob=str(name),
            size_bytes=claim.size_bytes,
            proof=proof_of(claim),
            parts_digest=claim.parts_digest,
            store_etag=head.etag,
        )
        done = await self._commands.handle(BLOB, str(name), command, intent)
        return done.folded

    async def _assemble(self, name: ArtifactName, claim: Claim, state: Blob) -> None:
        """Put the parts together; whether that gave the right object is for the proof to say."""
        key, upload_id = key_of(name), state.upload_id
        if not upload_id:
            raise bytes_missing(name, "Begin its upload first.")
        try:
            found = await self._blobs.list_parts(key, upload_id)
        except Missing:
            return  # put together before, by a call whose record was lost, or given up by the store
        missing = absent(claim, found)
        if missing:
            if await is_there(self._blobs, name, claim):
                return  # another call has just put them together: the store shows that part by part
            parts = " ".join(str(number) for number in missing[:_SHOWN])
            raise bytes_missing(name, f"Send its parts {parts} first.", parts)
        etags = {number: found[number].etag for number in claim.part_numbers}
        digests = dict(zip(claim.part_numbers, claim.part_digests, strict=True))
        try:
            await self._blobs.complete_upload(key, upload_id, etags, digests)
        except Missing:
            return  # another call has just put them together
        except WrongParts:
            if not await is_there(self._blobs, name, claim):
                raise mismatch(name) from None
        except Occupied:
            await prove(self._blobs, name, claim)
            with suppress(Unavailable):  # the store forgets it by itself after some days
                await self._blobs.abort_upload(key, upload_id)
