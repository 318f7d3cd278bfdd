"""A whole service over real NATS and Postgres: its answers, also when either is away."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2

from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1 import resources_pb2 as resources
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.type.v1.moment_pb2 import Moment
from assay_events import token
from assay_serve.embedded import ports
from tests.integration.assay_serve.refused import refusal
from tests.integration.assay_serve.stack import Stack, found, standing, wait_until

Code = grpc.StatusCode
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with standing(tmp_path_factory.mktemp("stack")) as stack, stack.serving():
        yield stack


@pytest.fixture
async def channel(stack: Stack) -> AsyncIterator[grpc.aio.Channel]:
    async with stack.channel() as channel:
        await wait_until(channel, SERVING)
        yield channel


def name() -> str:
    return f"n{uuid4().hex[:12]}"


async def create(
    stack: Stack,
    channel: grpc.aio.Channel,
    namespace_id: str,
    description: str = "",
    request_id: str = "",
) -> api.CreateNamespaceResponse:
    request = api.CreateNamespaceRequest(
        namespace=resources.Namespace(description=description),
        namespace_id=namespace_id,
        request_id=request_id or str(uuid4()),
    )
    stub = MetadataServiceStub(channel)
    return await stub.CreateNamespace(request, metadata=stack.as_user, timeout=10)


async def get(
    stack: Stack,
    channel: grpc.aio.Channel,
    resource: str,
    fresh: str = "",
    as_of: Moment | None = None,
    timeout: float = 10,  # noqa: ASYNC109 - that of the call
) -> api.GetModelResponse:
    request = api.GetModelRequest(name=resource, at_least_as_fresh=fresh, as_of=as_of)
    stub = MetadataServiceStub(channel)
    return await stub.GetModel(request, metadata=stack.as_user, timeout=timeout)


async def test_a_write_can_be_read_with_its_token(stack: Stack, channel: grpc.aio.Channel) -> None:
    for _ in range(20):
        made = await create(stack, channel, name(), "mine")
        read = await get(stack, channel, made.namespace.name, made.consistency_token)
        assert read.model.description == "mine"
        assert token.decode(read.consistency_token) >= token.decode(made.consistency_token)


async def test_a_request_sent_twice_is_done_once(stack: Stack, channel: grpc.aio.Channel) -> None:
    namespace_id, request_id = name(), str(uuid4())
    first = await create(stack, channel, namespace_id, "a", request_id)
    second = await create(stack, channel, namespace_id, "a", request_id.upper())
    assert first == second
    refused = await refusal(create(stack, channel, namespace_id, "b", request_id))
    assert refused.reason == "REQUEST_ID_REUSED"


async def test_a_token_from_the_future_is_told_to_come_back(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    ahead = token.encode(10_000_000)
    refused = await refusal(get(stack, channel, "namespaces/a", ahead, timeout=0.5))
    assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "PROJECTION_BEHIND")
    assert refused.metadata["wanted"] == "10000000"


async def test_nonsense_for_a_token_is_refused(stack: Stack, channel: grpc.aio.Channel) -> None:
    refused = await refusal(get(stack, channel, "namespaces/a", "nonsense"))
    assert refused.code == Code.INVALID_ARGUMENT


async def test_a_read_as_of_a_revision_or_time_does_not_see_what_came_later(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    before = await create(stack, channel, name())
    await asyncio.sleep(0.05)
    between = datetime.now(UTC)
    await asyncio.sleep(0.05)
    after = await create(stack, channel, name())
    at_revision = Moment(revision=token.decode(before.consistency_token))
    at_time = Moment()
    at_time.time.FromDatetime(between)
    for moment in (at_revision, at_time):
        read = await get(stack, channel, before.namespace.name, as_of=moment)
        assert read.model.name == before.namespace.name
        refused = await refusal(
            get(stack, channel, after.namespace.name, after.consistency_token, moment)
        )
        assert refused.code == Code.NOT_FOUND
    at_end = Moment(revision=token.decode(after.consistency_token))
    read = await get(stack, channel, after.namespace.name, as_of=at_end)
    assert read.model.name == after.namespace.name


async def test_a_read_as_of_this_moment_sees_the_last_write(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    made = await create(stack, channel, name())
    now = Moment()
    now.time.FromDatetime(datetime.now(UTC))
    read = await get(stack, channel, made.namespace.name, as_of=now)
    assert read.model.name == made.namespace.name


def at(time_: datetime) -> Moment:
    moment = Moment()
    moment.time.FromDatetime(time_)
    return moment


@pytest.mark.parametrize(
    "moment",
    [
        Moment(revision=10_000_000),
        Moment(revision=-1),
        at(datetime.now(UTC) + timedelta(hours=1)),
        at(datetime(2001, 1, 1, tzinfo=UTC)),
    ],
)
async def test_the_future_and_the_time_before_the_log_cannot_be_read(
    stack: Stack, channel: grpc.aio.Channel, moment: Moment
) -> None:
    await create(stack, channel, name())
    refused = await refusal(get(stack, channel, "namespaces/a", as_of=moment))
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "BAD_MOMENT")


async def test_pages_give_every_row_once_in_order(stack: Stack, channel: grpc.aio.Channel) -> None:
    made = [await create(stack, channel, name()) for _ in range(7)]
    stub = MetadataServiceStub(channel)
    names, page_token = list[str](), ""
    while True:
        page = await stub.ListNamespaces(
            api.ListNamespacesRequest(
                page_size=3,
                page_token=page_token,
                at_least_as_fresh=made[-1].consistency_token,
            ),
            metadata=stack.as_user,
        )
        names += [namespace.name for namespace in page.namespaces]
        page_token = page.next_page_token
        if not page_token:
            break
    assert names == sorted(set(names))
    assert {response.namespace.name for response in made} <= set(names)


async def test_a_page_token_must_come_from_this_query(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    stub = MetadataServiceStub(channel)
    request = api.ListNamespacesRequest(page_token="bm9uc2Vuc2U")
    refused = await refusal(stub.ListNamespaces(request, metadata=stack.as_user))
    assert refused.reason == "BAD_PAGE_TOKEN"
    negative = api.ListNamespacesRequest(page_size=-1)
    refused = await refusal(stub.ListNamespaces(negative, metadata=stack.as_user))
    assert refused.metadata["field"] == "page_size"


async def test_commands_go_on_while_postgres_is_away(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    stack.database.server.kill()
    try:
        await wait_until(channel, NOT_SERVING)
        made = await create(stack, channel, name())
        refused = await refusal(get(stack, channel, made.namespace.name, timeout=3))
        assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "UNAVAILABLE")
    finally:
        stack.database.server.start()
    await wait_until(channel, SERVING)
    read = await get(stack, channel, made.namespace.name, made.consistency_token)
    assert read.model.name == made.namespace.name


async def test_queries_go_on_while_nats_is_away_and_commands_say_so(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    made = await create(stack, channel, name())
    await get(stack, channel, made.namespace.name, made.consistency_token)
    stack.bus.server.kill()
    try:
        await wait_until(channel, NOT_SERVING)
        read = await get(stack, channel, made.namespace.name)
        assert read.model.name == made.namespace.name
        refused = await refusal(create(stack, channel, name()))
        assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "UNAVAILABLE")
    finally:
        stack.bus.server.start()
    await wait_until(channel, SERVING)
    await create(stack, channel, name())


async def test_the_read_model_equals_its_rebuild_and_can_be_rebuilt_while_serving(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    made = await create(stack, channel, name())
    await get(stack, channel, made.namespace.name, made.consistency_token)
    checked = await asyncio.to_thread(stack.run, "check")
    assert checked.returncode == 0, checked.stderr
    rebuilt = await asyncio.to_thread(stack.run, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "Rebuilt metadata up to revision" in rebuilt.stdout
    read = await get(stack, channel, made.namespace.name)
    assert read.model.name == made.namespace.name
    later = await create(stack, channel, name())
    read = await get(stack, channel, later.namespace.name, later.consistency_token)
    assert read.model.name == later.namespace.name


async def test_a_second_process_on_the_same_port_serves_and_takes_over(
    stack: Stack, channel: grpc.aio.Channel
) -> None:
    with stack.serving() as second:
        await asyncio.sleep(1)
        assert second.poll() is None
        for _ in range(8):
            async with stack.channel() as other:
                made = await create(stack, other, name())
                await get(stack, other, made.namespace.name, made.consistency_token)


async def test_a_process_that_does_not_write_the_read_model_is_ready_too(stack: Stack) -> None:
    listen = [f"127.0.0.1:{ports.free(set())}" for _ in range(2)]
    own = dict(zip(("ASSAY_LISTEN", "ASSAY_INTERNAL_LISTEN"), listen, strict=True))
    environ = {**stack.environ, **own}
    second = Stack(stack.bus, stack.database, stack.trust, environ)
    with second.serving():
        async with second.channel() as channel:
            await wait_until(channel, SERVING)
            made = await create(second, channel, name())
            read = await get(second, channel, made.namespace.name, made.consistency_token)
            assert read.model.name == made.namespace.name


def test_what_is_wrong_with_the_command_or_the_environment_is_said(stack: Stack) -> None:
    misused = stack.run("dance")
    assert misused.returncode == 2
    assert "serve | prepare | rebuild | check" in misused.stderr
    environ = dict(stack.environ)
    del environ["ASSAY_NATS_URL"]
    lacking = Stack(stack.bus, stack.database, stack.trust, environ).run("serve")
    assert lacking.returncode == 2
    assert lacking.stderr == "Set the environment variable ASSAY_NATS_URL.\n"


async def test_a_service_started_before_its_stores_waits_for_them(tmp_path: Path) -> None:
    with standing(tmp_path, is_founded=False) as stack:
        stack.bus.server.kill()
        stack.database.server.kill()
        with stack.serving() as process:
            async with stack.channel() as channel:
                await wait_until(channel, NOT_SERVING)
                refused = await refusal(create(stack, channel, name()))
                assert refused.code == Code.UNAVAILABLE
                refused = await refusal(get(stack, channel, "namespaces/a", timeout=3))
                assert refused.code == Code.UNAVAILABLE
                stack.bus.server.start()
                refused = await refusal(create(stack, channel, name()))
                assert refused.code in {Code.UNAVAILABLE, Code.DATA_LOSS}
                await asyncio.to_thread(found, stack)
                stack.database.server.start()
                await wait_until(channel, SERVING)
                await create(stack, channel, name())
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0
        log = (tmp_path / "identity" / "service.log").read_text().splitlines()
        assert {"server.started", "server.stopped"} <= {json.loads(line)["event"] for line in log}
        assert all(json.loads(line)["service"] == "metadata" for line in log)


async def test_a_poison_event_turns_health_red_and_leaves_commands_answered(
    tmp_path: Path,
) -> None:
    with standing(tmp_path) as stack, stack.serving():
        async with stack.channel() as channel:
            await wait_until(channel, SERVING)
            await create(stack, channel, name(), "poison")
            await wait_until(channel, NOT_SERVING)
            await create(stack, channel, name())
