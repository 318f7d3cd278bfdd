"""How a blob comes into the store: which bytes are still to be sent, and under which signatures."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from assay.artifact.v1 import resources_pb2 as artifact
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import ArtifactName, NamespaceName
from assay_artifact.domain.blob import BLOB, BeginUpload, Blob, check_claim
from assay_artifact.domain.claim import Claim
from assay_artifact.ports.blob_store import BlobStore, Missing, Part, Signed
from assay_artifact.service import messages
from assay_artifact.service.places import key_of
from assay_artifact.service.proving import bytes_missing, is_there
from assay_events.commands import Commands, Done, Intent
from assay_events.decider import Aborted, AlreadyExists, Invalid, Refusal
from assay_events.errors import Unavailable
from assay_events.ids import derived_id


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a claimed blob, and the revision that says so."""

    message: artifact.BlobPlan
    revision: int


class Sending:
    """Plans and signs what clients send."""

    def __init__(self, commands: Commands, blobs: BlobStore) -> None:
        """Record sessions through `commands`; open uploads in `blobs`."""
        self._commands = commands
        self._blobs = blobs

    async def plan(self, namespace: NamespaceName, claim: Claim, intent: Intent) -> Plan:
        """Return what is to be done with a blob; open an upload for one of many parts."""
        name = ArtifactName.of(namespace, claim.digest)
        folded = await self._commands.fold(BLOB, str(name))
        state = folded.state
        if claim.is_single and not state.is_stored:
            put = self._blobs.sign_put(key_of(name), claim.sha256, claim.size_bytes)
            return Plan(messages.single(claim.digest, put), folded.revision)
        check_claim(str(name), state, claim.size_bytes, claim.parts_digest)
        if state.is_stored:
            return Plan(messages.stored(claim.digest), folded.revision)
        try:
            missing = await self._missing_parts(name, claim, state)
        except Missing:
            return await self._open(name, claim, state, intent)
        return Plan(messages.multipart(claim.digest, missing), folded.revision)

    async def sign_parts(
        self, namespace: NamespaceName, claim: Claim, numbers: Sequence[int]
    ) -> list[artifact.SignedRequest]:
        """Return the PUTs of some parts, in the session that was begun for this very claim."""
        _check_numbers(claim, numbers)
        name = ArtifactName.of(namespace, claim.digest)
        state = (await self._commands.fold(BLOB, str(name))).state
        check_claim(str(name), state, claim.size_bytes, claim.parts_digest)
        if state.is_stored:
            raise AlreadyExists(str(name))
        if not state.upload_id:
            raise bytes_missing(name, "Begin its upload first.")
        return [messages.signed(self._part(name, claim, state, number)) for number in numbers]

    def _part(self, name: ArtifactName, claim: Claim, state: Blob, number: int) -> Signed:
        digest = claim.part_digests[number - 1]
        size = claim.size_of(number)
        return self._blobs.sign_part(key_of(name), state.upload_id, number, digest, size)

    async def _missing_parts(self, name: ArtifactName, claim: Claim, state: Blob) -> Sequence[int]:
        """Return the parts not there; raise Missing where there is no upload, and no object."""
        if not state.upload_id:
            raise Missing(str(name))
        try:
            found = await self._blobs.list_parts(key_of(name), state.upload_id)
        except Missing:
            # Killed between putting the parts together and recording it: the object is there.
            if await is_there(self._blobs, name, claim):
                return ()
            raise
        missing = absent(claim, found)
        # While another call puts the parts together, the store lists them no more.
        return () if missing and await is_there(self._blobs, name, claim) else missing

    async def _open(self, name: ArtifactName, claim: Claim, state: Blob, intent: Intent) -> Plan:
        """Open an upload in the store and record it; where others were quicker, theirs stands."""
        upload_id = await self._blobs.create_upload(key_of(name))
        command = BeginUpload(
            blob=str(name),
            size_bytes=claim.size_bytes,
            part_size_bytes=claim.part_size_bytes,
            parts_digest=claim.parts_digest,
            upload_id=upload_id,
            previous_upload_id=state.upload_id,
        )
        try:
            done = await self._commands.handle(BLOB, str(name), command, _own(intent, state))
        except Refusal:
            await self._abandon(name, upload_id)
            raise
        if done.state.upload_id == upload_id:
            plan = messages.multipart(claim.digest, claim.part_numbers)
            return Plan(plan, done.revision)
        await self._abandon(name, upload_id)
        return await self._join(name, claim, done)

    async def _join(self, name: ArtifactName, claim: Claim, done: Done[Blob]) -> Plan:
        """Return the plan within the session that others have begun at the same time."""
        if done.state.is_stored:
            return Plan(messages.stored(claim.digest), done.revision)
        try:
            missing = await self._missing_parts(name, claim, done.state)
        except Missing:
            raise Aborted(
                Reason.REASON_LOST_RACE,
                f"Send the request again: others change the upload of {name}.",
                name=str(name),
            ) from None
        return Plan(messages.multipart(claim.digest, missing), done.revision)

    async def _abandon(self, name: ArtifactName, upload_id: str) -> None:
        with suppress(Unavailable):  # the store forgets it by itself after some days
            await self._blobs.abort_upload(key_of(name), upload_id)


def absent(claim: Claim, found: Mapping[int, Part]) -> list[int]:
    """Return the numbers of the parts that are not there as claimed."""
    return [number for number in claim.part_numbers if not _fits(claim, number, found)]


def _fits(claim: Claim, number: int, found: Mapping[int, Part]) -> bool:
    if number not in found or found[number].size_bytes != claim.size_of(number):
        return False
    # Not every store lists digests; its check of the signed one was the proof.
    return found[number].sha256 in (b"", claim.part_digests[number - 1])


def _own(intent: Intent, state: Blob) -> Intent:
    """Return the intent to open an upload: one request may have to open several in turn."""
    if not state.upload_id:
        return intent
    return replace(intent, request_id=derived_id(state.upload_id, intent.request_id))


def _check_numbers(claim: Claim, numbers: Iterable[int]) -> None:
    unknown = [number for number in numbers if number not in claim.part_numbers]
    if unknown:
        raise Invalid(
            Reason.REASON_MALFORMED,
            f"Ask for parts 1 to {len(claim.part_digests)}; there is no part {unknown[0]}.",
            field="part_numbers",
        )
