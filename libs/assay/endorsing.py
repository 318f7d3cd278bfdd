"""Endorsements: a second person puts a proposed key, role or policy in force with a signature.

What is endorsed is read first; the record must be about just that, or nothing is signed.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay import signing
from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import RoleProposed
from assay.endorsements import role_subject
from assay.errors import DataLoss, NotFound
from assay.names import KeyName, PrincipalName
from assay.paging import collect
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_trust import dsse, keys
from assay_trust.display import display_text
from assay_trust.keys import KeyPair
from assay_trust.record import ENDORSEMENT_TYPE, EndorsementRecord

if TYPE_CHECKING:
    from assay.client import Client

_ROLE = re.compile(r"(?P<holder>principals/\S+) becomes (?P<role>\S+) in (?P<scope>.+)\.")


@dataclass(frozen=True, slots=True)
class PreparedEndorsement:
    """An endorsement record that is checked and waits for its signature.

    Attributes:
        text: What the signer must read before signing.
    """

    proposal: api.Proposal
    record: EndorsementRecord
    record_bytes: bytes
    printed_name: PersonalText
    text: str


def prepare(client: "Client", name: str, public_key: bytes) -> PreparedEndorsement:
    """Return the record that endorses the proposal `name`, checked against what was proposed."""
    proposal = _proposal(client, name)
    key = KeyName(PrincipalName.parse(client.principal).principal, keys.key_id(public_key))
    answer = client.approval.PrepareEndorsement(
        api.PrepareEndorsementRequest(name=name, key=str(key))
    )
    record = EndorsementRecord.from_bytes(answer.record)
    pairs: dict[str, tuple[object, object]] = {
        "proposal": (record.subject.name, name),
        "signer": (record.signer, str(key.parent)),
        "key": (record.key, str(key)),
    }
    if "/roles/" in name:
        pairs["digest"] = (record.subject.digest, _role_digest(proposal))
    signing.check_pairs(pairs, "proposal")
    signing.check_time(record.time)
    printed = answer.printed_name.clear
    signing.check_text("printed name", record.printed_name_commitment, answer.printed_name, printed)
    lines = (proposal.description, display_text(record), f"I sign as {printed!r}.")
    return PreparedEndorsement(
        proposal, record, answer.record, answer.printed_name, "\n".join(filter(None, lines))
    )


def endorse(client: "Client", prepared: PreparedEndorsement, pair: KeyPair) -> api.EndorseResponse:
    """Send the signature of a prepared endorsement; return what is in force by it."""
    signing.check_key(prepared.record.key, pair)
    return client.approval.Endorse(
        api.EndorseRequest(
            name=prepared.record.subject.name,
            record=prepared.record_bytes,
            signature=dsse.sign(pair.private, ENDORSEMENT_TYPE, prepared.record_bytes),
            printed_name=prepared.printed_name,
        )
    )


def _proposal(client: "Client", name: str) -> api.Proposal:
    listed = collect(client.approval.ListProposals, api.ListProposalsRequest())
    for proposal in listed.proposals:
        if proposal.name == name:
            return proposal
    raise NotFound(
        "No such proposal waits for an endorsement.", reason="NOT_FOUND", metadata={"name": name}
    )


def _role_digest(proposal: api.Proposal) -> str:
    """Return the digest of the role that the proposal's sentence tells, as the signer reads it."""
    told = _ROLE.fullmatch(proposal.description)
    if told is None or told["holder"] != proposal.name.rpartition("/roles/")[0]:
        raise DataLoss(
            "Do not sign: the proposal does not say which role it gives.", reason="BAD_SIGNATURE"
        )
    role = RoleProposed(name=proposal.name, role=told["role"], scope=told["scope"])
    return role_subject(role).digest
