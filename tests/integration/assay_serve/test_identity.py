"""Who may call what: tokens that are not accepted, and methods of services alone."""

from pathlib import Path

import grpc
import pytest

from assay.approval.v1 import approval_service_pb2 as approval_api
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_serve.call import Context, actor
from assay_serve.identity import Identities, Unauthenticated
from assay_serve.interceptor import Interceptor
from assay_serve.server import Binding, Server
from assay_trust import keys
from tests.integration.assay_serve.refused import refusal
from tests.integration.assay_serve.toy import PRINCIPAL, Running, Trust, create

Code = grpc.StatusCode


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


async def seen_actor(toy: Running, token: str) -> Actor:
    seen = list[Actor]()

    async def keep(_: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        seen.append(actor(context))
        return api.CreateModelResponse()

    toy.toy.behaviour = keep
    await toy.stub.CreateModel(create(), metadata=bearer(token))
    return seen[0]


async def test_a_person_is_the_actor_of_their_call(toy: Running) -> None:
    found = await seen_actor(toy, toy.trust.user())
    assert found == Actor(
        principal=f"principals/{PRINCIPAL}",
        kind=ActorKind.ACTOR_KIND_HUMAN,
        issuer="assay-local",
        acr="local",
        amr=["file"],
    )


async def test_a_service_may_not_call_what_people_call(toy: Running) -> None:
    token = toy.trust.service("approval", "metadata")
    refused = await refusal(toy.stub.CreateModel(create(), metadata=bearer(token)))
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", ""),),
        (("authorization", "Basic YW5uOmFubg=="),),
        (("authorization", "Bearer "),),
        (("authorization", "Bearer a.b.c"),),
        (("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."),),
    ],
)
async def test_a_call_without_a_good_token_is_refused(
    toy: Running, metadata: tuple[tuple[str, str], ...]
) -> None:
    refused = await refusal(toy.stub.CreateModel(create(), metadata=metadata))
    assert (refused.code, refused.reason) == (Code.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_an_expired_token_is_refused(toy: Running) -> None:
    old = toy.trust.user(lifetime_seconds=10, age_seconds=1000)
    refused = await refusal(toy.stub.CreateModel(create(), metadata=bearer(old)))
    assert refused.code == Code.UNAUTHENTICATED


async def test_a_token_for_another_service_is_refused(toy: Running) -> None:
    foreign = toy.trust.service("approval", "audit")
    refused = await refusal(toy.stub.CreateModel(create(), metadata=bearer(foreign)))
    assert refused.code == Code.UNAUTHENTICATED


async def test_a_token_of_a_removed_key_is_refused_after_the_keys_changed(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.write()
    identities = Identities(trust.jwks, "metadata")
    token = f"Bearer {trust.user()}"
    assert identities.actor(token).principal == f"principals/{PRINCIPAL}"
    trust.issuer = keys.generate()
    trust.write()
    identities.look_again()
    with pytest.raises(Unauthenticated):
        identities.actor(token)
    assert identities.actor(f"Bearer {trust.user()}").principal == f"principals/{PRINCIPAL}"


async def test_keys_that_cannot_be_read_leave_the_old_ones_in_force(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.write()
    identities = Identities(trust.jwks, "metadata")
    trust.jwks.write_bytes(b"{")
    identities.look_again()
    assert identities.actor(f"Bearer {trust.user()}").principal == f"principals/{PRINCIPAL}"
    trust.jwks.unlink()
    identities.look_again()
    assert identities.actor(f"Bearer {trust.user()}").principal == f"principals/{PRINCIPAL}"


class Granting:
    """An approval service that answers CheckGrant and nothing else."""

    def __getattr__(self, name: str) -> object:
        async def answer(_request: object, _context: Context) -> object:
            return getattr(approval_api, f"{name}Response")()

        return answer


async def test_an_internal_method_is_for_services_only(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.write()
    binding = Binding("assay.approval.v1.ApprovalService", Granting())
    server = Server("127.0.0.1:0", (binding,), Interceptor(Identities(trust.jwks, "approval")))
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ApprovalServiceStub(channel)
        request = approval_api.CheckGrantRequest(
            version="namespaces/default/models/churn/versions/1",
            target="namespaces/default/models/churn/stages/production",
            manifest_digest="sha256:00",
        )
        refused = await refusal(stub.CheckGrant(request, metadata=bearer(trust.user())))
        assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")
        as_service = bearer(trust.service("metadata", "approval"))
        await stub.CheckGrant(request, metadata=as_service)
    await server.stop()
