"""People, workloads and their keys."""

from collections.abc import Sequence
from dataclasses import replace

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Key, KeyKind, Principal
from assay.error.v1.error_reason_pb2 import Reason
from assay.names import KeyName, PrincipalName
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval import queries
from assay_approval.domain.key import KEY, ClaimKey, aggregate_name
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.principal_commands import CreatePrincipal, Enrol, Link, RevokeKey
from assay_approval.domain.signing import check_reason
from assay_approval.service.messages import to_principal
from assay_approval.service.parts import Parts, caller
from assay_events.commands import Intent
from assay_events.decider import Forbidden, Invalid, NotFound
from assay_events.ids import derived_id
from assay_serve.call import Context, actor, intent, personal_text
from assay_serve.postgres import Snapshot
from assay_trust.keys import key_id


class Principals(Parts):
    """The rpcs about principals and keys."""

    async def CreatePrincipal(
        self, request: api.CreatePrincipalRequest, context: Context
    ) -> api.CreatePrincipalResponse:
        """Make the caller known; the id is the caller's own."""
        printed_name = request.principal.printed_name.strip()
        if not printed_name:
            words = "Give the name that is printed beside a signature."
            raise Invalid(Reason.REASON_REQUIRED, words, field="principal.printed_name")
        name = caller(context)
        command = CreatePrincipal(
            name=name,
            kind=actor(context).kind,
            printed_name=personal_text(printed_name) or PersonalText(),
            login=personal_text(request.principal.login) or PersonalText(),
            founding=await self._is_founding(),
        )
        done = await self._commands.handle(PRINCIPAL, name, command, intent(request, context))
        return api.CreatePrincipalResponse(
            principal=to_principal(await self._history(PRINCIPAL, name, done.revision)),
            consistency_token=done.token,
        )

    async def GetPrincipal(
        self, request: api.GetPrincipalRequest, context: Context
    ) -> api.GetPrincipalResponse:
        """Return one principal with its keys."""
        name = str(PrincipalName.parse(request.name))
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            found = await self._principals(snapshot, [name])
        if not found:
            raise NotFound(name)
        return api.GetPrincipalResponse(principal=found[0], consistency_token=snapshot.token)

    async def ListPrincipals(
        self, request: api.ListPrincipalsRequest, context: Context
    ) -> api.ListPrincipalsResponse:
        """Return one page of the principals, oldest first."""
        async with self._reads.at(request.at_least_as_fresh, context=context) as snapshot:
            page = await queries.principals(snapshot.db, request)
            return api.ListPrincipalsResponse(
                principals=await self._principals(snapshot, page.found),
                next_page_token=page.next_page_token,
                consistency_token=snapshot.token,
            )

    async def EnrolKey(
        self, request: api.EnrolKeyRequest, context: Context
    ) -> api.EnrolKeyResponse:
        """Claim the key for ever, then enrol it for the caller, or propose to."""
        name = str(PrincipalName.parse(request.parent))
        if name != caller(context):
            words = "Enrol keys for yourself: nobody else can prove to hold them."
            raise Forbidden(Reason.REASON_NOT_ALLOWED, words)
        circumstances = intent(request, context)
        await self._level()
        command = Enrol(
            principal=name,
            public_key=request.public_key,
            kind=request.kind or KeyKind.KEY_KIND_ED25519,
            record=request.record,
            signature=request.signature,
            passkey=self._own_passkey(request.passkey),
            is_owner=self._owner in self._rights.directory.accounts(name),
            founding=await self._is_founding(),
            deployment=self._deployment,
            at=circumstances.time,
        )
        await self._claim(command, circumstances)
        done = await self._commands.handle(PRINCIPAL, name, command, circumstances)
        key = await self._key(f"{name}/keys/{key_id(request.public_key)}", done.revision)
        return api.EnrolKeyResponse(key=key, consistency_token=done.token)

    async def RevokeKey(
        self, request: api.RevokeKeyRequest, context: Context
    ) -> api.RevokeKeyResponse:
        """Take a key's right to sign away."""
        name = KeyName.parse(request.name)
        circumstances = intent(request, context)
        check_reason(circumstances.reason or PersonalText())
        who = caller(context)
        command = RevokeKey(str(name), who, is_owner=who == self._owner)
        done = await self._commands.handle(PRINCIPAL, str(name.parent), command, circumstances)
        key = await self._key(str(name), done.revision)
        return api.RevokeKeyResponse(key=key, consistency_token=done.token)

    async def LinkPrincipal(
        self, request: api.LinkPrincipalRequest, context: Context
    ) -> api.LinkPrincipalResponse:
        """Let two principals count as one person: noted on both."""
        name = str(PrincipalName.parse(request.name))
        other = str(PrincipalName.parse(request.other))
        circumstances = intent(request, context)
        check_reason(circumstances.reason or PersonalText())
        if not (await self._commands.fold(PRINCIPAL, other)).state.name:
            raise NotFound(other)
        own, others = await self._roles_of_person(name), await self._roles_of_person(other)
        link = Link(name, other, own, others)
        done = await self._commands.handle(PRINCIPAL, name, link, circumstances)
        back = derived_id(other, circumstances.request_id)
        asked = replace(circumstances, request_id=back, etag="")
        returned = await self._commands.handle(PRINCIPAL, other, Link(other, name), asked)
        return api.LinkPrincipalResponse(
            principal=to_principal(await self._history(PRINCIPAL, name, done.revision)),
            consistency_token=max(done, returned, key=lambda each: each.revision).token,
        )

    async def _principals(self, at: Snapshot, names: Sequence[str]) -> list[Principal]:
        """Return principals as the read model has them, in the order asked for."""
        subjects = [PRINCIPAL.subject(name) for name in names]
        found = await queries.events(at, subjects)
        await self._rights.reach(at.revision)
        told = (to_principal(self._told_of(PRINCIPAL, found[subject])) for subject in subjects)
        return [each for each in told if each.name]

    async def _claim(self, command: Enrol, circumstances: Intent) -> None:
        """Claim the key, unless the request is recorded, or the rules will refuse the enrolment."""
        commands, name = self._commands, command.principal
        if await commands.is_recorded(PRINCIPAL, name, circumstances.request_id):
            return
        PRINCIPAL.decide(command, (await commands.fold(PRINCIPAL, name)).state)
        claim = ClaimKey(command.public_key, name)
        await commands.handle(KEY, aggregate_name(command.public_key), claim, circumstances)

    async def _key(self, name: str, revision: int) -> Key:
        """Return a key as it was at a revision."""
        steps = await self._history(PRINCIPAL, str(KeyName.parse(name).parent), revision)
        return next(key for key in to_principal(steps).keys if key.name == name)
