"""The log, and who approved: read from the tables, with what is verbatim left verbatim."""

from assay.audit.v1.audit_service_pb2 import (
    GetLogEntryRequest,
    GetLogEntryResponse,
    ListLogEntriesRequest,
    ListLogEntriesResponse,
    WhoApprovedRequest,
    WhoApprovedResponse,
)
from assay.audit.v1.audit_service_pb2_grpc import AuditServiceServicer
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import MalformedName, target
from assay_audit import queries
from assay_audit.service.answer import who_approved
from assay_audit.service.entries import to_entry
from assay_events.decider import Invalid, NotFound
from assay_serve.call import Context
from assay_serve.postgres import LATEST, Reads
from assay_serve.rights import Rights


class AuditService(AuditServiceServicer):
    """Answers auditors; it changes nothing."""

    def __init__(self, reads: Reads, people: Rights) -> None:
        """Answer from the tables that `reads` gives; `people` knows who could sign when."""
        self._reads = reads
        self._people = people

    async def ListLogEntries(
        self, request: ListLogEntriesRequest, context: Context
    ) -> ListLogEntriesResponse:
        """Return one page of the log."""
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            page = await queries.list_entries(snapshot.db, request, snapshot.revision)
        return ListLogEntriesResponse(
            entries=[to_entry(row) for row in page.rows],
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def GetLogEntry(
        self, request: GetLogEntryRequest, context: Context
    ) -> GetLogEntryResponse:
        """Return one entry with its verbatim bytes."""
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            row = await queries.find_entry(snapshot.db, request.revision)
        if row is None:
            raise NotFound(f"Log entry {request.revision}")
        return GetLogEntryResponse(
            entry=to_entry(row, with_envelope=True), consistency_token=snapshot.token
        )

    async def WhoApproved(
        self, request: WhoApprovedRequest, context: Context
    ) -> WhoApprovedResponse:
        """Return what a stage or alias held at a moment, and who let it in."""
        name = _target(request.name)
        async with self._reads.at(request.at_least_as_fresh, request.as_of, context) as snapshot:
            await self._people.reach(snapshot.revision)
            response = await who_approved(snapshot, self._people.directory, name, request.version)
        response.consistency_token = snapshot.token
        response.as_of_revision = snapshot.revision
        return response


def _target(name: str) -> str:
    """Return the name of a stage or alias, spelled as events spell it."""
    try:
        return str(target(name))
    except MalformedName as error:
        raise Invalid(Reason.REASON_MALFORMED, str(error), "name") from error
