"""The one step around every handler: deadline, trace, identity, rights, checks, errors, metrics.

It wraps the handlers once at start instead of being called as a grpc interceptor, and reads the
request's bytes itself, so that malformed bytes are refused like everything else.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from assay.type.v1 import options_pb2
from assay.type.v1.actor_pb2 import ActorKind
from assay_serve.authorisation import authorise
from assay_serve.call import Call, current
from assay_serve.errors import Answer, short, translate
from assay_serve.identity import Identities
from assay_serve.rights import Demand, Rights
from assay_serve.telemetry import Telemetry, TraceContext, parse_traceparent
from assay_serve.tls import check_caller
from assay_serve.validation import Validator

DEFAULT_DEADLINE_SECONDS = 10.0
_SERVICE = ActorKind.ACTOR_KIND_SERVICE  # looked up once, not at each call

Unary: TypeAlias = Callable[[Message, Call], Awaitable[Message]]
Stream: TypeAlias = Callable[[Message, Call], AsyncGenerator[Message, None]]
Exchange: TypeAlias = Callable[[AsyncIterator[Message], Call], AsyncGenerator[Message, None]]
RawContext: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
RawUnary: TypeAlias = Callable[[bytes, RawContext], Awaitable[bytes]]
RawStream: TypeAlias = Callable[[bytes, RawContext], AsyncGenerator[bytes, None]]
RawExchange: TypeAlias = Callable[[AsyncIterator[bytes], RawContext], AsyncGenerator[bytes, None]]

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Method:
    """What the step needs to know of one method, read once from its descriptor."""

    path: str
    is_internal: bool
    demand: Demand
    parse: Callable[[bytes], Message]
    check: Callable[[Message], None]


class Interceptor:
    """Wraps handlers; holds what all calls share."""

    def __init__(
        self,
        identities: Identities,
        telemetry: Telemetry | None = None,
        deployment: str = "",
        rights: Rights | None = None,
    ) -> None:
        """Ask `rights` what a caller may do; without them each verified caller may do all."""
        self._identities = identities
        self._rights = rights
        self._deployment = deployment
        self._telemetry = telemetry
        self._validator = Validator()

    def method(self, descriptor: MethodDescriptor) -> Method:
        """Return what is to be kept by every call of a method."""
        return Method(
            path=f"/{descriptor.containing_service.full_name}/{descriptor.name}",
            is_internal=descriptor.GetOptions().Extensions[options_pb2.internal],
            demand=Demand.of(descriptor),
            parse=GetMessageClass(descriptor.input_type).FromString,
            check=self._validator.compile(descriptor.input_type),
        )

    def unary(self, method: Method, handler: Unary) -> RawUnary:
        """Return `handler` with everything around it."""

        async def respond(raw: bytes, context: RawContext) -> bytes:
            started = time.monotonic()
            left: float | None = context.time_remaining()
            code = grpc.StatusCode.OK
            try:
                if left is not None:  # grpc itself cancels this task then
                    call, request = await self._admit(method, raw, context, started + left)
                    await self._allow(method, call, request)
                    return await self._run(handler, call, request)
                async with asyncio.timeout(DEFAULT_DEADLINE_SECONDS):
                    deadline = started + DEFAULT_DEADLINE_SECONDS
                    call, request = await self._admit(method, raw, context, deadline)
                    await self._allow(method, call, request)
                    return await self._run(handler, call, request)
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception as error:  # noqa: BLE001 - the table knows them all
                answer = _answer(method, error)
                code = answer.status_code
                await context.abort(code, answer.message, answer.trailing_metadata)
            finally:
                self._record(method, code, started)

        return respond

    def stream(self, method: Method, handler: Stream) -> RawStream:
        """Return the streaming `handler` with everything around it, but no deadline of ours."""

        async def respond(raw: bytes, context: RawContext) -> AsyncGenerator[bytes, None]:
            async with self._told(method, context):
                call, request = await self._admit(method, raw, context, _deadline(context))
                await self._allow(method, call, request)
                current.set(call)
                async with aclosing(handler(request, call)) as responses:
                    async for response in responses:
                        yield response.SerializeToString()

        return respond

    def exchange(self, method: Method, handler: Exchange) -> RawExchange:
        """Return the `handler` of a stream of requests with everything around it.

        Who calls is asked once; each request is checked when the handler takes it.
        """

        async def respond(
            raws: AsyncIterator[bytes], context: RawContext
        ) -> AsyncGenerator[bytes, None]:
            async with self._told(method, context):
                call = await self._identify(method, context, _deadline(context))
                current.set(call)
                async with aclosing(handler(self._allowed(method, call, raws), call)) as responses:
                    async for response in responses:
                        yield response.SerializeToString()

        return respond

    @asynccontextmanager
    async def _told(self, method: Method, context: RawContext) -> AsyncIterator[None]:
        """Tell the caller of a stream whatever ends it."""
        started = time.monotonic()
        code = grpc.StatusCode.OK
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - the table knows them all
            answer = _answer(method, error)
            code = answer.status_code
            await context.abort(code, answer.message, answer.trailing_metadata)
        finally:
            self._record(method, code, started)

    async def _admit(
        self, method: Method, raw: bytes, context: RawContext, deadline: float
    ) -> tuple[Call, Message]:
        """Return the call and its request; raise where it may not reach the handler."""
        call = await self._identify(method, context, deadline)
        return call, _parsed(method, raw)

    async def _identify(self, method: Method, context: RawContext, deadline: float) -> Call:
        """Return the call; raise where this caller may not make it."""
        authorization = traceparent = ""
        for key, value in context.invocation_metadata() or ():
            if key == "authorization" and isinstance(value, str):
                authorization = value
            elif key == "traceparent" and isinstance(value, str):
                traceparent = parse_traceparent(value).text
        actor = self._identities.recall(authorization)
        if actor is None:  # it may have to wait for the keys of an OIDC provider
            actor = await self._identities.actor(authorization)
        connection = context.auth_context()
        check_caller(
            actor, connection, self._deployment, method.path, is_internal=method.is_internal
        )
        authorise(actor, method.path, is_internal=method.is_internal)
        return Call(method.path, actor, deadline, traceparent)

    async def _allow(self, method: Method, call: Call, request: Message) -> None:
        """Refuse a person or workload to whom no role gives the right; services were looked at."""
        is_service = call.actor.kind == _SERVICE
        if self._rights is not None and not is_service:
            principal = call.actor.principal
            await self._rights.authorise(principal, method.demand, request, method.path)

    async def _allowed(
        self, method: Method, call: Call, raws: AsyncIterator[bytes]
    ) -> AsyncIterator[Message]:
        """Yield each request of a stream; refuse one that the handler may not see."""
        async for raw in raws:
            request = _parsed(method, raw)
            await self._allow(method, call, request)
            yield request

    async def _run(self, handler: Unary, call: Call, request: Message) -> bytes:
        with self._span(call) as traced:
            current.set(traced)  # each call is a task of its own
            response = await handler(request, traced)
            return response.SerializeToString()

    def _span(self, call: Call) -> AbstractContextManager[Call]:
        if self._telemetry is None or not call.traceparent:
            return nullcontext(call)
        trace: TraceContext = parse_traceparent(call.traceparent)
        if not trace.is_sampled:
            return nullcontext(call)
        return self._telemetry.span(call, trace)

    def _record(self, method: Method, code: grpc.StatusCode, started: float) -> None:
        if self._telemetry is not None:
            self._telemetry.record(method.path, code.name, started)


def _deadline(context: RawContext) -> float:
    """Return when the caller stops waiting, on the clock of `time.monotonic`."""
    left: float | None = context.time_remaining()
    return math.inf if left is None else time.monotonic() + left


def _parsed(method: Method, raw: bytes) -> Message:
    request = method.parse(raw)
    method.check(request)
    return request


def _answer(method: Method, error: Exception) -> Answer:
    """Return what the caller is told of `error`, having logged it."""
    fault_id = str(uuid4())
    answer = translate(error, fault_id)
    reason = short(answer.reason)
    if answer.is_fault:
        log.error("call.failed", method=method.path, fault=fault_id, reason=reason, exc_info=error)
    else:
        cause = "" if str(error) == answer.message else repr(error)
        log.info("call.refused", method=method.path, reason=reason, cause=cause)
    return answer
