"""A call to another service: as this one, for its caller, on its trace, and soon answered."""

import asyncio
import ssl
import time
from pathlib import Path

import grpc
import pytest

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events.errors import Unavailable
from assay_serve import call
from assay_serve.call import Call, Context
from assay_serve.embedded import certificates
from assay_serve.embedded.contexts import SERVICES
from assay_serve.peers import DEADLINE_SECONDS, PeerChannels
from tests.integration.assay_serve.refused import refusal
from tests.integration.assay_serve.toy import PRINCIPAL, Running, create
from tests.support import mtls
from tests.support.scribe import DEPLOYMENT

ASK = api.GetModelRequest(name="namespaces/default/models/churn")
# grpc rounds what is left up to whole units on the wire.
SLACK_SECONDS = 0.5
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def seen(toy: Running) -> list[Call]:
    """The calls that come through to the peer."""
    calls = list[Call]()

    async def keep(_: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        calls.append(call.call_of(context))
        return api.CreateModelResponse()

    toy.toy.behaviour = keep
    return calls


def peers_of(toy: Running) -> PeerChannels:
    """Return the channels of the approval service, to the toy as its peer."""
    folder, peers = toy.trust.folder, {"metadata": toy.internal}
    certificate = mtls.certificate(folder, "approval")
    return PeerChannels("approval", DEPLOYMENT, folder / "approval.pem", certificate, peers)


async def test_a_service_calls_as_itself(toy: Running, seen: list[Call]) -> None:
    peers = peers_of(toy)
    await MetadataServiceStub(peers.channel("metadata")).GetModel(ASK)
    assert seen[0].actor.principal == "services/approval"
    assert seen[0].actor.on_behalf_of == ""
    left = seen[0].deadline - time.monotonic()
    assert 0 < left < DEADLINE_SECONDS + SLACK_SECONDS
    await peers.close()


async def test_a_service_says_for_whom_it_calls_and_goes_on_with_the_trace(
    toy: Running, seen: list[Call]
) -> None:
    peers = peers_of(toy)
    person = Actor(principal=f"principals/{PRINCIPAL}", kind=ActorKind.ACTOR_KIND_HUMAN)
    held = call.current.set(Call("/a/B", person, time.monotonic() + 0.7, TRACE))
    try:
        await MetadataServiceStub(peers.channel("metadata")).GetModel(ASK)
    finally:
        call.current.reset(held)
    assert seen[0].actor.principal == "services/approval"
    assert seen[0].actor.on_behalf_of == person.principal
    assert seen[0].traceparent == TRACE
    assert seen[0].deadline - time.monotonic() < 0.7 + SLACK_SECONDS
    await peers.close()


async def test_whom_a_chain_of_services_acts_for_is_not_lost(
    toy: Running, seen: list[Call]
) -> None:
    peers = peers_of(toy)
    between = Actor(
        principal="services/lineage",
        kind=ActorKind.ACTOR_KIND_SERVICE,
        on_behalf_of=f"principals/{PRINCIPAL}",
    )
    held = call.current.set(Call("/a/B", between, time.monotonic() + 5))
    try:
        await MetadataServiceStub(peers.channel("metadata")).GetModel(ASK)
    finally:
        call.current.reset(held)
    assert seen[0].actor.on_behalf_of == between.on_behalf_of
    await peers.close()


async def test_the_peer_is_not_waited_for_longer_than_two_seconds(toy: Running) -> None:
    async def sleep(_: api.CreateModelRequest, __: Context) -> api.CreateModelResponse:
        await asyncio.sleep(3600)
        return api.CreateModelResponse()

    toy.toy.behaviour = sleep
    peers = peers_of(toy)
    answer = MetadataServiceStub(peers.channel("metadata")).GetModel(ASK)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await peers.close()


async def test_a_peer_that_is_away_makes_the_service_unavailable(toy: Running) -> None:
    certificate = mtls.certificate(toy.trust.folder, "metadata")
    key = toy.trust.folder / "metadata.pem"
    peers = PeerChannels("metadata", DEPLOYMENT, key, certificate, {"away": "127.0.0.1:1"})

    async def ask(request: api.CreateModelRequest, _: Context) -> api.CreateModelResponse:
        return await MetadataServiceStub(peers.channel("away")).CreateModel(request)

    toy.toy.behaviour = ask
    refused = await refusal(toy.stub.CreateModel(create(), metadata=toy.as_user, timeout=5))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    await peers.close()


def test_a_peer_without_an_address_is_named(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", mtls.certificate(tmp_path, "metadata")
    key.write_bytes(b"not read until a token is minted")
    with pytest.raises(Unavailable, match="audit"):
        PeerChannels("metadata", DEPLOYMENT, key, certificate, {}).channel("audit")


@pytest.mark.requirement("V2")
async def test_a_peer_must_show_the_certificate_of_the_service_that_is_called(toy: Running) -> None:
    folder, peers = toy.trust.folder, {"audit": toy.internal}
    certificate = mtls.certificate(folder, "approval")
    channels = PeerChannels("approval", DEPLOYMENT, folder / "approval.pem", certificate, peers)
    with pytest.raises(grpc.aio.AioRpcError, match="Hostname Verification") as caught:
        await MetadataServiceStub(channels.channel("audit")).GetModel(ASK)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    await channels.close()


@pytest.mark.requirement("V2")
async def test_a_peer_with_a_certificate_of_another_ca_is_not_called(
    toy: Running, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificate = mtls.certificate(other, "approval")
    key, peers = toy.trust.folder / "approval.pem", {"metadata": toy.internal}
    channels = PeerChannels("approval", DEPLOYMENT, key, certificate, peers)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await MetadataServiceStub(channels.channel("metadata")).GetModel(ASK)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    await channels.close()


async def test_certificates_are_renewed_while_calls_run(toy: Running) -> None:
    peers, release = peers_of(toy), asyncio.Event()

    async def answer(_: api.CreateModelRequest, context: Context) -> api.CreateModelResponse:
        if call.call_of(context).traceparent:
            await release.wait()
        return api.CreateModelResponse()

    toy.toy.behaviour = answer
    first = peers.channel("metadata")
    long = asyncio.create_task(_long_call(first))
    made = _renew(toy)
    async with asyncio.timeout(30):
        while peers.channel("metadata") is first or await _served(toy) != made:
            await MetadataServiceStub(peers.channel("metadata")).GetModel(ASK)
    await MetadataServiceStub(peers.channel("metadata")).GetModel(ASK)
    release.set()
    await long
    await peers.close()


async def _long_call(channel: grpc.aio.Channel) -> None:
    person = Actor(principal=f"principals/{PRINCIPAL}", kind=ActorKind.ACTOR_KIND_HUMAN)
    call.current.set(Call("/a/B", person, time.monotonic() + 60, TRACE))
    await MetadataServiceStub(channel).GetModel(ASK, timeout=60)


def _renew(toy: Running) -> str:
    """Renew the certificates; return that of the metadata service."""
    folder = toy.trust.folder / "tls"
    for path in folder.glob("*/certificate.pem"):
        if path.parent.name != "ca":
            path.unlink()
    assert len(certificates.renew(folder, DEPLOYMENT)) == len(SERVICES)
    return (folder / "metadata" / "certificate.pem").read_text()


async def _served(toy: Running) -> str:
    """Return the certificate that the toy shows now."""
    host, _, port = toy.internal.partition(":")
    return await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
