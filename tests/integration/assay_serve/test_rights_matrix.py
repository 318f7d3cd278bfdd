"""Each method and each role, at the real interceptor: one table, read off the protos."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import grpc
import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import (
    Descriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from assay.approval.v1 import approval_service_pb2
from assay.approval.v1.events_pb2 import RoleGranted
from assay.artifact.v1 import artifact_service_pb2
from assay.audit.v1 import audit_service_pb2
from assay.event.v1 import event_service_pb2
from assay.lineage.v1 import lineage_service_pb2
from assay.metadata.v1 import metadata_service_pb2
from assay.type.v1 import options_pb2
from assay.type.v1.options_pb2 import Right
from assay_approval.domain.roles import role_name
from assay_events.memory import MemoryStore
from assay_serve.identity import Identities
from assay_serve.interceptor import Interceptor
from assay_serve.rights import Demand, Rights
from assay_serve.server import Binding, Server
from assay_trust import keys, tokens
from tests.integration.assay_serve.toy import Trust
from tests.support.scribe import DEPLOYMENT, OWNER, Scribe

HOME, AWAY = "namespaces/home", "namespaces/away"
FILES = (
    approval_service_pb2.DESCRIPTOR,
    artifact_service_pb2.DESCRIPTOR,
    audit_service_pb2.DESCRIPTOR,
    event_service_pb2.DESCRIPTOR,
    lineage_service_pb2.DESCRIPTOR,
    metadata_service_pb2.DESCRIPTOR,
)
SERVICES = [service for file in FILES for service in file.services_by_name.values()]
# What each role lets its holder do, spelled out once more: not read from the code.
MAY: Mapping[str, set[str]] = {
    "nobody": set(),
    "reader": {"READ"},
    "contributor": {"READ", "CONTRIBUTE"},
    "deployer": {"READ", "DEPLOY"},
    "approver:validator": {"READ", "APPROVE"},
    "policy-admin": {"READ", "GOVERN"},
    "auditor": {"READ", "AUDIT"},
    "admin": {"READ", "ADMINISTER"},
    "owner": {"READ", "CONTRIBUTE", "DEPLOY", "GOVERN", "AUDIT", "ADMINISTER"},
}


def methods() -> Iterator[MethodDescriptor]:
    for service in SERVICES:
        yield from service.methods


def principal(role: str, scope: str) -> str:
    """Return the UUID of somebody who has one role in one scope."""
    return OWNER if role == "owner" else str(uuid5(NAMESPACE_URL, f"{role} {scope}"))


def right(method: MethodDescriptor) -> str:
    value: Right.ValueType = method.GetOptions().Extensions[options_pb2.right]
    return Right.Name(value).removeprefix("RIGHT_")


def is_internal(method: MethodDescriptor) -> bool:
    return bool(method.GetOptions().Extensions[options_pb2.internal])


def request(method: MethodDescriptor, resource: str) -> Message:
    """Return a request that passes the checks, about a resource."""
    message = fill(GetMessageClass(method.input_type)(), method.input_type)
    path = Demand.of(method).path
    if path not in ((), ("*",)):
        home = message
        for name in path[:-1]:
            home = getattr(home, name)
        setattr(home, path[-1], resource)
    return message


def fill(message: Message, descriptor: Descriptor) -> Message:
    """Give each field that is required a value."""
    for field in descriptor.fields:
        behaviours = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        if field_behavior_pb2.REQUIRED not in behaviours:
            continue
        if field.is_repeated:
            values = getattr(message, field.name)
            if field.message_type is None:
                values.append(plain(field))
            else:
                fill(values.add(), field.message_type)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name), field.message_type)
        else:
            setattr(message, field.name, plain(field))
    return message


def plain(field: FieldDescriptor) -> object:
    if field.type == FieldDescriptor.TYPE_STRING:
        return "x"
    return b"x" if field.type == FieldDescriptor.TYPE_BYTES else 1


class Anything:
    """Answers each method with an empty message."""

    def __init__(self, service: ServiceDescriptor) -> None:
        self.methods = service.methods_by_name

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = self.methods[name]
        answer = GetMessageClass(method.output_type)

        async def once(_request: Message, _context: object) -> Message:
            return answer()

        async def stream(_request: Message, _context: object) -> AsyncIterator[Message]:
            yield answer()

        async def exchange(requests: AsyncIterator[Message], _: object) -> AsyncIterator[Message]:
            async for _request in requests:  # each is looked at when it is taken
                yield answer()

        if method.client_streaming:
            return exchange
        return stream if method.server_streaming else once


@asynccontextmanager
async def gate(folder: Path, store: MemoryStore) -> AsyncIterator[tuple[grpc.aio.Channel, Trust]]:
    """Serve all methods behind the interceptor, which follows the roles in `store`."""
    trust = Trust(folder)
    trust.write()
    rights = Rights(store, DEPLOYMENT, f"principals/{OWNER}")
    interceptor = Interceptor(Identities(trust.jwks, "metadata"), None, DEPLOYMENT, rights)
    bindings = [Binding(service.full_name, Anything(service)) for service in SERVICES]
    server = Server("127.0.0.1:0", bindings, interceptor)
    following = asyncio.create_task(rights.run())
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield channel, trust
    finally:
        await server.stop()
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def populated() -> MemoryStore:
    """Return a stream on which each role is somebody's, at home and everywhere."""
    store = MemoryStore()
    scribe = Scribe({"approval": store})
    for role in MAY.keys() - {"nobody", "owner"}:
        for scope in (HOME, "*"):
            holder = f"principals/{principal(role, scope)}"
            event = RoleGranted(
                name=role_name(holder, role, scope), role=role, scope=scope, founding=True
            )
            await scribe.write(event)
    return store


async def call(
    channel: grpc.aio.Channel, trust: Trust, who: str, method: MethodDescriptor, resource: str
) -> str:
    """Return how a call was answered, in a word."""
    token = minted(keys.to_pem(trust.issuer.private), who)
    path = f"/{method.containing_service.full_name}/{method.name}"
    asked, metadata = request(method, resource), (("authorization", f"Bearer {token}"),)
    try:
        if method.server_streaming:
            answers: grpc.aio.UnaryStreamCall[Message, bytes]
            answers = channel.unary_stream(path, request_serializer=spell)(asked, metadata=metadata)
            async for _ in answers:
                return "allowed"
        await channel.unary_unary(path, request_serializer=spell)(asked, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return "refused"
        return f"{error.code().name}: {error.details()}"
    return "allowed"


@lru_cache
def minted(pem: bytes, who: str) -> str:
    return tokens.mint_user(pem, "assay-local", who, int(time.time()))


def spell(message: Message) -> bytes:
    return message.SerializeToString()


def expected(method: MethodDescriptor, role: str, scope: str, resource: str) -> str:
    """Return what the table says of a call by somebody with one role."""
    needed, path = right(method), Demand.of(method).path
    if is_internal(method):
        return "refused"
    if needed == "ANYONE":
        return "allowed"
    if needed not in MAY[role]:
        return "refused"
    if role == "owner" or scope == "*" or not path:
        return "allowed"
    return "allowed" if path != ("*",) and resource.startswith(HOME) else "refused"


@pytest.mark.requirement("W1", "W13")
async def test_each_role_may_do_what_the_table_says_and_nothing_else(tmp_path: Path) -> None:
    cases = [
        (method, role, scope, f"{namespace}/models/churn")
        for method in methods()
        for role in MAY
        for scope, namespace in ((HOME, HOME), (HOME, AWAY), ("*", AWAY))
        if role not in ("nobody", "owner") or scope == "*"
    ]
    slots = asyncio.Semaphore(64)
    async with gate(tmp_path, await populated()) as (channel, trust):

        async def row(
            method: MethodDescriptor, role: str, scope: str, resource: str
        ) -> tuple[str, ...]:
            async with slots:
                said = await call(channel, trust, principal(role, scope), method, resource)
            return (method.full_name, role, scope, resource, said)

        rows = await asyncio.gather(*(row(*case) for case in cases))
    table = [
        (method.full_name, role, scope, resource, expected(method, role, scope, resource))
        for method, role, scope, resource in cases
    ]
    wrong = [(row, told) for row, told in zip(table, rows, strict=True) if row != told]
    assert not wrong, wrong[:10]
    assert {row[-1] for row in rows} == {"allowed", "refused"}


@pytest.mark.requirement("W1")
def test_each_method_states_a_right() -> None:
    silent = [each.full_name for each in methods() if right(each) == "UNSPECIFIED"]
    assert silent == [each.full_name for each in methods() if is_internal(each)]


@pytest.mark.requirement("W3")
def test_the_owner_does_not_approve() -> None:
    assert {each.name for each in methods() if right(each) == "APPROVE"} >= {
        "PrepareSignature",
        "SignApproval",
        "RejectApproval",
        "ReviewBreakGlass",
    }
    assert "APPROVE" not in MAY["owner"]
