"""The internal port: who gets in, with which certificate, and what is served there alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from assay.approval.v1 import approval_service_pb2 as approval_api
from assay.approval.v1.approval_service_pb2_grpc import ApprovalServiceStub
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay_serve import spiffe
from assay_serve.call import Context
from assay_serve.embedded import certificates
from assay_serve.embedded.certificates import Issued
from assay_serve.identity import Identities
from assay_serve.interceptor import Interceptor
from assay_serve.server import Binding, Server
from tests.integration.assay_serve.refused import refusal
from tests.integration.assay_serve.toy import Running, Trust, create
from tests.support import mtls
from tests.support.scribe import DEPLOYMENT

if TYPE_CHECKING:  # the stub of a channel of grpc.aio is there for types only
    from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceAsyncStub

Code = grpc.StatusCode
ASK = api.GetModelRequest(name="namespaces/default/models/churn")
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def authority_of(toy: Running) -> Issued:
    """Return the CA of the toy's deployment."""
    issued = certificates.load(toy.trust.folder / "tls" / "ca")
    assert issued is not None
    return issued


@asynccontextmanager
async def showing(toy: Running, issued: Issued) -> "AsyncIterator[MetadataServiceAsyncStub]":
    """Give a stub at the internal port of the toy that shows a certificate."""
    roots = authority_of(toy).certificate.public_bytes(Encoding.PEM)
    shown = issued.certificate.public_bytes(Encoding.PEM)
    credentials = grpc.ssl_channel_credentials(roots, certificates.key_pem(issued), shown)
    async with at(toy, credentials) as stub:
        yield stub


@asynccontextmanager
async def at(
    toy: Running, credentials: grpc.ChannelCredentials
) -> "AsyncIterator[MetadataServiceAsyncStub]":
    """Give a stub at the internal port of the toy."""
    host = ("grpc.default_authority", spiffe.host(DEPLOYMENT, "metadata"))
    options = (host, *mtls.OPTIONS)
    async with grpc.aio.secure_channel(toy.internal, credentials, options) as channel:
        yield MetadataServiceStub(channel)


def as_approval(toy: Running) -> tuple[tuple[str, str], ...]:
    return bearer(toy.trust.service("approval", "metadata"))


@pytest.mark.requirement("V2")
async def test_a_service_gets_in_with_its_certificate_and_its_token(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "approval", NOW)
    async with showing(toy, issued) as stub:
        await stub.GetModel(ASK, metadata=as_approval(toy), timeout=10)


@pytest.mark.requirement("V2")
async def test_a_certificate_of_another_ca_opens_nothing(toy: Running) -> None:
    foreign = certificates.new_authority(DEPLOYMENT, NOW)
    issued = certificates.issue(foreign, DEPLOYMENT, "approval", NOW)
    await assert_shut_out(toy, issued)


async def test_a_certificate_that_has_expired_opens_nothing(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "approval", NOW - 30 * HOUR)
    assert issued.certificate.not_valid_after_utc < NOW
    await assert_shut_out(toy, issued)


async def test_a_certificate_that_is_not_valid_yet_opens_nothing(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "approval", NOW + HOUR)
    await assert_shut_out(toy, issued)


async def assert_shut_out(toy: Running, issued: Issued) -> None:
    async with showing(toy, issued) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(ASK, metadata=as_approval(toy), timeout=10)
    assert caught.value.code() == Code.UNAVAILABLE


@pytest.mark.requirement("V2")
async def test_nobody_gets_in_without_a_certificate(toy: Running) -> None:
    roots = authority_of(toy).certificate.public_bytes(Encoding.PEM)
    async with at(toy, grpc.ssl_channel_credentials(roots)) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(ASK, metadata=as_approval(toy), timeout=10)
    assert caught.value.code() == Code.UNAVAILABLE


@pytest.mark.requirement("V2")
async def test_plain_text_is_not_understood_there(toy: Running) -> None:
    async with grpc.aio.insecure_channel(toy.internal, mtls.OPTIONS) as channel:
        stub = MetadataServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetModel(ASK, metadata=as_approval(toy), timeout=10)
    assert caught.value.code() == Code.UNAVAILABLE


async def test_the_certificate_must_be_of_the_service_that_the_token_names(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "lineage", NOW)
    async with showing(toy, issued) as stub:
        refused = await refusal(stub.GetModel(ASK, metadata=as_approval(toy), timeout=10))
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")


async def test_the_certificate_must_be_of_this_deployment(toy: Running) -> None:
    other = "99999999-9999-4999-8999-999999999999"
    issued = certificates.issue(authority_of(toy), other, "approval", NOW)
    async with showing(toy, issued) as stub:
        refused = await refusal(stub.GetModel(ASK, metadata=as_approval(toy), timeout=10))
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")


async def test_a_certificate_alone_is_not_enough(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "approval", NOW)
    foreign = bearer(toy.trust.service("approval", "audit"))
    async with showing(toy, issued) as stub:
        for metadata in ((), foreign):
            refused = await refusal(stub.GetModel(ASK, metadata=metadata, timeout=10))
            assert refused.code == Code.UNAUTHENTICATED


async def test_a_person_does_not_get_in_with_the_certificate_of_a_service(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "approval", NOW)
    async with showing(toy, issued) as stub:
        refused = await refusal(stub.GetModel(ASK, metadata=toy.as_user, timeout=10))
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")


async def test_a_service_may_not_call_what_people_call(toy: Running) -> None:
    issued = certificates.issue(authority_of(toy), DEPLOYMENT, "approval", NOW)
    async with showing(toy, issued) as stub:
        call = stub.CreateModel(create(), metadata=as_approval(toy), timeout=10)
        refused = await refusal(call)
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")


async def test_the_public_port_refuses_services(toy: Running) -> None:
    refused = await refusal(toy.stub.GetModel(ASK, metadata=as_approval(toy), timeout=10))
    assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")


class Granting:
    """An approval service that answers CheckGrant and nothing else."""

    def __getattr__(self, name: str) -> object:
        async def answer(_request: object, _context: Context) -> object:
            return getattr(approval_api, f"{name}Response")()

        return answer


async def test_an_internal_method_is_served_on_the_internal_port_only(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.write()
    binding = Binding("assay.approval.v1.ApprovalService", Granting())
    interceptor = Interceptor(Identities(trust.jwks, "approval"), deployment=DEPLOYMENT)
    server = Server("127.0.0.1:0", (binding,), interceptor)
    port = server.add_internal_port("127.0.0.1:0", mtls.server_credentials(tmp_path, "approval"))
    await server.start()
    request = approval_api.CheckGrantRequest(
        version="namespaces/default/models/churn/versions/1",
        target="namespaces/default/models/churn/stages/production",
        manifest_digest="sha256:00",
    )
    as_service = bearer(trust.service("metadata", "approval"))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = ApprovalServiceStub(channel)
        for metadata in (bearer(trust.user()), as_service):
            refused = await refusal(stub.CheckGrant(request, metadata=metadata))
            assert (refused.code, refused.reason) == (Code.PERMISSION_DENIED, "NOT_ALLOWED")
    credentials, options = mtls.client(tmp_path, "metadata", "approval")
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        await ApprovalServiceStub(channel).CheckGrant(request, metadata=as_service)
    await server.stop()
