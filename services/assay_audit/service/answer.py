"""Who let a version in: what the tables hold of it, judged again, as the answer to an auditor."""

from collections.abc import Iterable

from asyncpg import Record

from assay.approval.v1.resources_pb2 import ApprovalState
from assay.audit.v1.audit_service_pb2 import WhoApprovedResponse
from assay.audit.v1.resources_pb2 import AttachedEvidence, Signer
from assay_audit import queries
from assay_audit.queries import Approval
from assay_audit.verdict import Asked, Signature, Verdict, judge
from assay_events.decider import NotFound
from assay_serve.directory import Directory
from assay_serve.postgres import Snapshot


async def who_approved(
    snapshot: Snapshot, directory: Directory, name: str, version: str
) -> WhoApprovedResponse:
    """Return what an alias or stage held, and who let it in; `directory` has reached there."""
    db, revision = snapshot.db, snapshot.revision
    holders = await queries.find_holders(db, name, revision)
    asked = [holder for holder in holders if version in {"", holder["version"]}]
    if not asked:
        model = name.rsplit("/", 2)[0]
        if not await queries.is_known(db, model):
            raise NotFound(model)
        return WhoApprovedResponse()
    holder = asked[0]
    response = await _held(snapshot, holder)
    response.other_versions.extend(each["version"] for each in holders if each is not holder)
    if not holder["approval"]:
        return response
    approval = await queries.find_approval(
        db,
        holder["approval"],
        revision,
        target=name,
        version=response.version,
        manifest_digest=response.manifest_digest,
    )
    if approval is None:
        response.defect = "It was not asked for."
        return response
    now = (revision, await queries.stream_time(db, revision))
    of = Asked(approval.submitter, approval.target, approval.quorum)
    verdict = judge(directory, of, approval.signatures, approval.outcomes, now)
    _tell(response, approval, verdict)
    return response


async def _held(snapshot: Snapshot, holder: Record) -> WhoApprovedResponse:
    """Return what is told of a holder whoever let it in."""
    registration = await queries.find_registration(
        snapshot.db, holder["version"], snapshot.revision
    )
    response = WhoApprovedResponse(
        version=holder["version"],
        manifest_digest=registration["manifest_digest"] if registration else "",
        revision=holder["revision"],
        actor=holder["actor"],
        registrant=registration["registrant"] if registration else "",
        approval=holder["approval"],
    )
    if holder["enter_time"] is not None:
        response.enter_time.FromDatetime(holder["enter_time"])
    return response


def _tell(response: WhoApprovedResponse, approval: Approval, verdict: Verdict) -> None:
    """Add what an approval came to."""
    response.submitter = approval.submitter
    response.policies.extend(approval.policies)
    response.evidence_digest = approval.evidence_digest
    response.evidence.extend(AttachedEvidence(**dict(row)) for row in approval.attachments)
    response.quorum = approval.quorum
    response.is_break_glass = approval.is_break_glass
    response.state = verdict.state
    response.is_revoked = verdict.state == ApprovalState.APPROVAL_STATE_REVOKED
    response.defect = verdict.defect
    response.signers.extend(_signers(verdict.signers))
    response.reviews.extend(_signers(verdict.reviews))
    response.rejections.extend(_signers(verdict.rejections))
    if verdict.grant is not None and verdict.grant.expire_time is not None:
        response.expire_time.FromDatetime(verdict.grant.expire_time)
    if verdict.grant is not None and verdict.grant.review_due_time is not None:
        response.review_due_time.FromDatetime(verdict.grant.review_due_time)


def _signers(signatures: Iterable[Signature]) -> Iterable[Signer]:
    for each in signatures:
        signer = Signer(
            principal=each.signer,
            printed_name=each.printed_name,
            key=each.key,
            reason=each.reason,
            revision=each.revision,
            step=each.step,
            role=each.role,
            delegator=each.delegator,
            reason_code=each.reason_code,
        )
        signer.sign_time.FromDatetime(each.sign_time)
        yield signer
