"""Roles: given, lent, taken away, and read."""

from datetime import UTC

from assay.approval.v1 import approval_service_pb2 as api
from assay.names import PrincipalName
from assay.type.v1.personal_text_pb2 import PersonalText
from assay_approval import queries
from assay_approval.domain.principal import PRINCIPAL
from assay_approval.domain.principal_commands import GrantRole, LendRole, RemoveRole
from assay_approval.domain.roles import covers, role_name
from assay_approval.domain.signing import check_reason
from assay_approval.service.messages import to_role
from assay_approval.service.parts import Parts, caller
from assay_serve.call import Context, intent
from assay_trust import fields


class Roles(Parts):
    """The rpcs about roles."""

    async def GrantRole(
        self, request: api.GrantRoleRequest, context: Context
    ) -> api.GrantRoleResponse:
        """Give a role at the founding, propose it afterwards."""
        principal = str(PrincipalName.parse(request.parent))
        command = GrantRole(
            principal=principal,
            role=request.role.role,
            scope=request.role.scope,
            giver=caller(context),
            founding=await self._is_founding(),
            others=await self._others(principal),
        )
        done = await self._commands.handle(PRINCIPAL, principal, command, intent(request, context))
        name = role_name(principal, command.role, command.scope)
        role = to_role(await self._history(PRINCIPAL, principal, done.revision), name)
        return api.GrantRoleResponse(role=role, consistency_token=done.token)

    async def DelegateRole(
        self, request: api.DelegateRoleRequest, context: Context
    ) -> api.DelegateRoleResponse:
        """Lend a role of the caller's."""
        principal, who = str(PrincipalName.parse(request.parent)), caller(context)
        lender = (await self._commands.fold(PRINCIPAL, who)).state
        command = LendRole(
            principal=principal,
            role=request.role,
            lender=lender,
            expires=request.expire_time.ToDatetime(tzinfo=UTC),
            at=await self._now(),
            others=await self._others(principal),
        )
        done = await self._commands.handle(PRINCIPAL, principal, command, intent(request, context))
        lent = lender.roles[request.role]
        name = role_name(principal, lent.role, lent.scope, who)
        role = to_role(await self._history(PRINCIPAL, principal, done.revision), name)
        return api.DelegateRoleResponse(role=role, consistency_token=done.token)

    async def RemoveRole(
        self, request: api.RemoveRoleRequest, context: Context
    ) -> api.RemoveRoleResponse:
        """Take a role away at once."""
        name = fields.child(request.name, "roles")
        principal, who = name.rpartition("/roles/")[0], caller(context)
        circumstances = intent(request, context)
        check_reason(circumstances.reason or PersonalText())
        may_remove = who == self._owner or await self._is_admin_of(who, principal, name)
        command = RemoveRole(name, who, may_remove=may_remove)
        done = await self._commands.handle(
            PRINCIPAL, principal, command, circumstances, resource=name
        )
        role = to_role(await self._history(PRINCIPAL, principal, done.revision), name)
        return api.RemoveRoleResponse(role=role, consistency_token=done.token)

    async def ListRoles(
        self, request: api.ListRolesRequest, context: Context
    ) -> api.ListRolesResponse:
        """Return one page of the roles in force."""
        if request.parent:
            PrincipalName.parse(request.parent)
        fresh, moment = request.at_least_as_fresh, request.as_of
        async with self._reads.at(fresh, moment, context) as snapshot:
            page = await queries.roles(snapshot, request)
            await self._rights.reach(snapshot.revision)
        directory, found = self._rights.directory, page.found
        return api.ListRolesResponse(
            roles=[role for role in found if directory.gave(role.name, int(role.etag[1:-1]))],
            next_page_token=page.next_page_token,
            consistency_token=snapshot.token,
        )

    async def _is_admin_of(self, who: str, principal: str, name: str) -> bool:
        """Return whether somebody is admin where a role holds."""
        holder = (await self._commands.fold(PRINCIPAL, principal)).state
        role = holder.roles.get(name) or holder.proposed_roles.get(name)
        own = (await self._commands.fold(PRINCIPAL, who)).state
        admin = [held.scope for held in own.roles.values() if held.role == "admin"]
        return role is not None and any(covers(scope, role.scope) for scope in admin)
