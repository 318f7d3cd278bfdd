"""Who calls: tokens that are accepted, and those that are not."""

from pathlib import Path

import grpc
import pytest

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_serve.call import Context, actor
from assay_serve.identity import Identities, Unauthenticated
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


async def test_a_token_of_a_removed_key_is_refused_after_the_keys_changed(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.write()
    identities = Identities(trust.jwks, "metadata")
    token = f"Bearer {trust.user()}"
    assert (await identities.actor(token)).principal == f"principals/{PRINCIPAL}"
    trust.issuer = keys.generate()
    trust.write()
    identities.look_again()
    with pytest.raises(Unauthenticated):
        await identities.actor(token)
    assert (await identities.actor(f"Bearer {trust.user()}")).principal == f"principals/{PRINCIPAL}"


async def test_keys_that_cannot_be_read_leave_the_old_ones_in_force(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.write()
    identities = Identities(trust.jwks, "metadata")
    trust.jwks.write_bytes(b"{")
    identities.look_again()
    assert (await identities.actor(f"Bearer {trust.user()}")).principal == f"principals/{PRINCIPAL}"
    trust.jwks.unlink()
    identities.look_again()
    assert (await identities.actor(f"Bearer {trust.user()}")).principal == f"principals/{PRINCIPAL}"
