"""The log, and who approved: read from the tables, with what is verbatim left verbatim."""

from asyncpg import Record

from assay.audit.v1.audit_service_pb2 import (
    GetLogEntryRequest,
    GetLogEntryResponse,
    ListLogEntriesRequest,
    ListLogEntriesResponse,
    WhoApprovedRequest,
    WhoApprovedResponse,
)
from assay.audit.v1.audit_service_pb2_grpc import AuditServiceServicer
from assay.audit.v1.resources_pb2 import Signer
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import MalformedName, target
from assay_audit import queries
from assay_audit.queries import Approval
from assay_audit.service.entries import to_entry
from assay_events.decider import Invalid, NotFound
from assay_serve.call import Context
from assay_serve.postgres import LATEST, Reads, Snapshot


class AuditService(AuditServiceServicer):
    """Answers auditors; it changes nothing."""

    def __init__(self, reads: Reads) -> None:
        """Answer from the tables that `reads` gives."""
        self._reads = reads

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
            response = await _who_approved(snapshot, name, request.version)
        response.consistency_token = snapshot.token
        response.as_of_revision = snapshot.revision
        return response


async def _who_approved(snapshot: Snapshot, name: str, version: str) -> WhoApprovedResponse:
    db, revision = snapshot.db, snapshot.revision
    holders = await queries.find_holders(db, name, revision)
    asked = [holder for holder in holders if version in {"", holder["version"]}]
    if not asked:
        model = name.rsplit("/", 2)[0]
        if not await queries.is_known(db, model):
            raise NotFound(model)
        return WhoApprovedResponse()
    holder = asked[0]
    registration = await queries.find_registration(db, holder["version"], revision)
    digest = registration["manifest_digest"] if registration else ""
    approval = Approval()
    if holder["approval"]:
        approval = await queries.find_approval(
            db,
            holder["approval"],
            revision,
            target=name,
            version=holder["version"],
            manifest_digest=digest,
        )
    response = WhoApprovedResponse(
        version=holder["version"],
        manifest_digest=digest,
        revision=holder["revision"],
        actor=holder["actor"],
        registrant=registration["registrant"] if registration else "",
        approval=approval.name,
        submitter=approval.submitter,
        policies=approval.policies,
        signers=[_signer(row) for row in approval.signers],
        is_revoked=approval.is_revoked,
        other_versions=[other["version"] for other in holders if other is not holder],
    )
    if holder["enter_time"] is not None:
        response.enter_time.FromDatetime(holder["enter_time"])
    return response


def _signer(row: Record) -> Signer:
    signer = Signer(
        principal=row["signer"],
        printed_name=row["printed_name"],
        key=row["key"],
        reason=row["reason"],
        revision=row["revision"],
    )
    signer.sign_time.FromDatetime(row["sign_time"])
    return signer


def _target(name: str) -> str:
    """Return the name of a stage or alias, spelled as events spell it."""
    try:
        return str(target(name))
    except MalformedName as error:
        raise Invalid(Reason.REASON_MALFORMED, str(error), "name") from error
