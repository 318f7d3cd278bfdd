"""Import: each batch is about one model, and one command: one atomic append, or nothing."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid5

import assay.metadata.v1.metadata_service_pb2 as api
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import ModelVersionRegistered
from assay.names import ModelName
from assay_events.commands import Done, Intent
from assay_events.decider import Invalid, Refusal
from assay_metadata.domain.commands import ImportBatch
from assay_metadata.domain.importing import at
from assay_metadata.domain.model import MODEL
from assay_metadata.domain.state import Model
from assay_metadata.service.import_facts import ImportFacts
from assay_metadata.service.import_items import named_items
from assay_serve.call import Context, intent


class Importing(ImportFacts):
    """Models with all that they have, written by the batch."""

    async def Import(
        self, requests: AsyncIterator[api.ImportRequest], context: Context
    ) -> AsyncGenerator[api.ImportResponse, None]:
        """Write each batch before the next is decided; the first refused one ends the call."""
        async for request in requests:
            with _named(request):
                answer = await self._import(request, context)
            yield answer

    async def _import(self, request: api.ImportRequest, context: Context) -> api.ImportResponse:
        asked, model = _intent(request, context), ModelName.parse(request.model)
        folded = await self._commands.fold(MODEL, str(model))
        if folded.state.leads_to:
            model = ModelName.parse(folded.state.leads_to)
            folded = await self._commands.fold(MODEL, str(model))
        if await self._commands.is_repeated(MODEL, str(model), folded, asked):
            return api.ImportResponse(
                batch=request.batch, is_known=True, consistency_token=folded.token
            )
        if any(item.model.tier for item in request.items):
            await self._require_governing(model, context)
        items = await self._items(request, model, folded.state)
        await asyncio.sleep(0)  # a batch is long work: other calls get their turn in between
        command = ImportBatch(str(model), items)
        with _largest_named(request):
            done = await self._commands.handle(MODEL, str(model), command, asked)
        return _answer(request, done, asked)


def _intent(request: api.ImportRequest, context: Context) -> Intent:
    """Return the circumstances of a batch: its id follows from the import's, so it is met again."""
    if request.batch < 1:
        raise Invalid(Reason.REASON_MALFORMED, "Number the batches from 1.", field="batch")
    try:
        import_id = UUID(request.import_id)
    except ValueError as error:
        raise Invalid(
            Reason.REASON_MALFORMED, "Send a UUID as import_id.", field="import_id"
        ) from error
    return replace(intent(request, context), request_id=str(uuid5(import_id, str(request.batch))))


def _answer(request: api.ImportRequest, done: Done[Model], asked: Intent) -> api.ImportResponse:
    """Return what a batch wrote; another call of the same import may have been quicker."""
    is_known = bool(done.events) and done.events[0].time != asked.time
    written = [e for e in done.events if isinstance(e.event, ModelVersionRegistered)]
    return api.ImportResponse(
        batch=request.batch,
        is_known=is_known,
        consistency_token=done.token,
        written_versions=0 if is_known else len(written),
    )


@contextmanager
def _largest_named(request: api.ImportRequest) -> Iterator[None]:
    """Say which item makes an event that is too large: only the store knows how large it is."""
    try:
        yield
    except Invalid as refusal:
        if refusal.reason != Reason.REASON_TOO_LARGE or refusal.field == "items":
            raise
        field, _ = max(named_items(request), key=lambda named: named[1].ByteSize())
        raise at(refusal, field) from None


@contextmanager
def _named(request: api.ImportRequest) -> Iterator[None]:
    """Say in each refusal which batch was refused."""
    try:
        yield
    except Refusal as refusal:
        if refusal.reason == Reason.REASON_REQUEST_ID_REUSED:
            refusal = Invalid(
                refusal.reason,
                f"Send batch {request.batch} as it was sent first, or take another import_id.",
                field="batch",
            )
        batch = {"batch": str(request.batch), "model": request.model}
        refusal.metadata = {**refusal.metadata, **batch}
        raise refusal from None
