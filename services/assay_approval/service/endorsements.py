"""Endorsements: what waits for another person's signature, and the signature."""

from datetime import UTC, datetime

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.events_pb2 import KeyEnrolled, PolicyPublished
from assay.endorsements import key_subject, role_subject
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval import queries
from assay_approval.domain.endorsing import Endorsing
from assay_approval.domain.policies import POLICIES, EndorsePolicy
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.principal_commands import Endorse
from assay_approval.domain.roles import may_endorse
from assay_approval.domain.signing import check_signer, enrolled_key
from assay_approval.service.messages import to_policies, to_principal, to_role
from assay_approval.service.parts import Parts
from assay_approval.signatures import policy_subject
from assay_events.decider import NotFound
from assay_serve.call import Context, intent, personal_text
from assay_trust import display, fields
from assay_trust.record import EndorsementRecord, Named, new_nonce


class Endorsements(Parts):
    """The rpcs by which a second person puts a change in force."""

    async def ListProposals(
        self, request: api.ListProposalsRequest, context: Context
    ) -> api.ListProposalsResponse:
        """Return one page of what waits, oldest first."""
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            page = await queries.proposals(snapshot.db, request)
        return api.ListProposalsResponse(
            proposals=page.found,
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def PrepareEndorsement(
        self, request: api.PrepareEndorsementRequest, context: Context
    ) -> api.PrepareEndorsementResponse:
        """Return what the caller would sign."""
        signer = await self._signer(context)
        check_signer(signer)
        enrolled_key(signer, request.key)
        printed_name = personal_text(signer.printed_name) or PersonalText()
        prepared = EndorsementRecord(
            deployment=self._deployment,
            subject=await self._subject(request.name),
            nonce=new_nonce(),
            signer=signer.name,
            key=request.key,
            time=datetime.now(UTC).replace(microsecond=0),
            printed_name_commitment=printed_name.commitment.hex(),
        )
        return api.PrepareEndorsementResponse(
            record=prepared.to_bytes(),
            display_text=display.display_text(prepared),
            printed_name=printed_name,
        )

    async def Endorse(self, request: api.EndorseRequest, context: Context) -> api.EndorseResponse:
        """Put a proposed key, role or policy version in force."""
        circumstances = intent(request, context)
        endorsing = await self._endorsing(request, context, circumstances.time)
        if not request.name.startswith("principals/"):
            return await self._endorse_policy(request, endorsing, context)
        principal = request.name.rsplit("/", 2)[0]
        command = Endorse(request.name, endorsing, await self._others(principal))
        done = await self._commands.handle(PRINCIPAL, principal, command, circumstances)
        steps = await self._history(PRINCIPAL, principal, done.revision)
        answer = api.EndorseResponse(consistency_token=done.token)
        if done.first(KeyEnrolled) is not None:
            key = next(key for key in to_principal(steps).keys if key.name == request.name)
            answer.key.CopyFrom(key)
        else:
            answer.role.CopyFrom(to_role(steps, request.name))
        return answer

    async def _endorse_policy(
        self, request: api.EndorseRequest, endorsing: Endorsing, context: Context
    ) -> api.EndorseResponse:
        policy = request.name.rpartition("/versions/")[0]
        namespace = policy.rpartition("/policies/")[0]
        command = EndorsePolicy(request.name, endorsing)
        done = await self._commands.handle(POLICIES, namespace, command, intent(request, context))
        steps = await self._history(POLICIES, namespace, done.revision)
        answer = api.EndorseResponse(consistency_token=done.token)
        if done.first(PolicyPublished) is not None:
            answer.policy.CopyFrom(to_policies(steps)[policy])
        return answer

    async def _endorsing(
        self, request: api.EndorseRequest, context: Context, at: datetime
    ) -> Endorsing:
        signer = await self._signer(context)
        own = (await self._commands.fold(PRINCIPAL, signer.name)).state
        printed = request.printed_name
        return Endorsing(
            signer=signer,
            record=request.record,
            signature=request.signature,
            passkey=self._own_passkey(request.passkey),
            printed_name=PersonalText(
                clear=printed.clear, commitment=printed.commitment, salt=printed.salt
            ),
            deployment=self._deployment,
            at=at,
            may_endorse=may_endorse(own.roles.values()),
        )

    async def _subject(self, name: str) -> Named:
        """Return what an endorsement of a proposal would be about."""
        fields.resource(name)
        if not name.startswith("principals/"):
            home = name.rpartition("/policies/")[0]
            waiting = (await self._commands.fold(POLICIES, home)).state.proposed
            policy = waiting.get(name.rpartition("/versions/")[0])
            if policy is not None and policy.name == name:
                return policy_subject(policy)
        else:
            home = name.rsplit("/", 2)[0]
            state = (await self._commands.fold(PRINCIPAL, home)).state
            if name in state.proposed_roles:
                return role_subject(state.proposed_roles[name])
            if name in state.proposed_keys:
                return key_subject(state.proposed_keys[name])
        raise NotFound(name, "List what waits with `assay proposal list`.")
