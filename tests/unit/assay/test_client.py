"""What a client does around each call, against a real server that misbehaves on purpose."""

# ruff: noqa: N802 - methods carry the names of the proto
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from assay import errors
from assay.calls import RetryPolicy
from assay.client import AsyncClient, Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import add_MetadataServiceServicer_to_server
from assay.metadata.v1.resources_pb2 import Model
from assay.paging import collect
from assay_trust import keys, tokens
from assay_trust.jwks import write_jwks

TOKEN_9, TOKEN_10 = "YXNzYXkxOjk", "YXNzYXkxOjEw"
QUICK = RetryPolicy(deadline_seconds=30, first_delay_seconds=0.001, max_delay_seconds=0.01)


def refusal(
    code: int, reason: str, *, retry_seconds: float = 0, field: str = ""
) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=f"Because of {reason}.")
    details = [error_details_pb2.ErrorInfo(reason=reason, domain="assay", metadata={"k": "v"})]
    if retry_seconds:
        delay = Duration()
        delay.FromMilliseconds(int(retry_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description="is bad")
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    for detail in details:
        status.details.add().Pack(detail)
    return status


class Metadata:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.script: list[status_pb2.Status | str] = []
        self.requests: list[api.CreateModelRequest | api.GetModelRequest] = []
        self.headers: list[dict[str, str | bytes]] = []
        self.timeouts: list[float] = []

    def CreateModel(
        self, request: api.CreateModelRequest, context: grpc.ServicerContext
    ) -> api.CreateModelResponse:
        token = self._next(request, context)
        return api.CreateModelResponse(model=Model(name="made"), consistency_token=token)

    def GetModel(
        self, request: api.GetModelRequest, context: grpc.ServicerContext
    ) -> api.GetModelResponse:
        token = self._next(request, context)
        return api.GetModelResponse(model=Model(name=request.name), consistency_token=token)

    def ListModels(
        self, request: api.ListModelsRequest, _: grpc.ServicerContext
    ) -> api.ListModelsResponse:
        start = int(request.page_token or 0)
        end = min(start + min(request.page_size, 10), 25)
        names = [Model(name=str(number)) for number in range(start, end)]
        return api.ListModelsResponse(models=names, next_page_token=str(end) if end < 25 else "")

    def __getattr__(self, name: str) -> object:
        if name[0].isupper():
            return None
        raise AttributeError(name)

    def _next(
        self,
        request: api.CreateModelRequest | api.GetModelRequest,
        context: grpc.ServicerContext,
    ) -> str:
        self.requests.append(request)
        self.headers.append(dict(context.invocation_metadata()))
        self.timeouts.append(context.time_remaining())
        answer = self.script.pop(0) if self.script else ""
        if isinstance(answer, status_pb2.Status):
            context.abort_with_status(rpc_status.to_status(answer))
        return str(answer)


@pytest.fixture
def metadata() -> Metadata:
    return Metadata()


@pytest.fixture
def endpoints(metadata: Metadata) -> Iterator[dict[str, str]]:
    server = grpc.server(ThreadPoolExecutor(4))
    add_MetadataServiceServicer_to_server(metadata, server)  # type: ignore[arg-type]  # duck
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    yield dict.fromkeys(names, f"127.0.0.1:{port}")
    server.stop(None)


@pytest.fixture
def client(endpoints: dict[str, str]) -> Iterator[Client]:
    with Client.connect(endpoints=endpoints, token="a-token", retries=QUICK) as client:
        yield client


def create() -> api.CreateModelRequest:
    return api.CreateModelRequest(parent="namespaces/default", model_id="churn")


def test_a_call_carries_the_bearer_token_and_a_deadline(client: Client, metadata: Metadata) -> None:
    client.metadata.GetModel(api.GetModelRequest(name="m"))
    assert metadata.headers[0]["authorization"] == "Bearer a-token"
    assert 0 < metadata.timeouts[0] < QUICK.deadline_seconds + 1  # gRPC rounds up


def test_a_retry_is_the_same_request(client: Client, metadata: Metadata) -> None:
    away = refusal(code_pb2.UNAVAILABLE, "UNAVAILABLE", retry_seconds=0.01)
    lost = refusal(code_pb2.ABORTED, "LOST_RACE")
    metadata.script = [away, lost, away, TOKEN_9]
    assert client.metadata.CreateModel(create()).model.name == "made"
    ids = {request.request_id for request in metadata.requests if hasattr(request, "request_id")}
    assert len(metadata.requests) == 4
    assert len(ids) == 1
    assert ids != {""}


def test_the_same_message_sent_twice_is_two_requests(client: Client, metadata: Metadata) -> None:
    request = create()
    client.metadata.CreateModel(request)
    client.metadata.CreateModel(request)
    first, second = metadata.requests
    assert isinstance(first, api.CreateModelRequest)
    assert isinstance(second, api.CreateModelRequest)
    assert first.request_id != second.request_id
    assert request.request_id == ""


def test_a_request_id_that_is_given_is_kept(client: Client, metadata: Metadata) -> None:
    request = create()
    request.request_id = "mine"
    client.metadata.CreateModel(request)
    assert metadata.requests == [request]


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (code_pb2.INVALID_ARGUMENT, "REQUIRED", errors.Invalid),
        (code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED", errors.Unauthenticated),
        (code_pb2.PERMISSION_DENIED, "APPROVAL_REQUIRED", errors.PermissionDenied),
        (code_pb2.NOT_FOUND, "NOT_FOUND", errors.NotFound),
        (code_pb2.ALREADY_EXISTS, "ALREADY_EXISTS", errors.AlreadyExists),
        (code_pb2.FAILED_PRECONDITION, "MODEL_ARCHIVED", errors.FailedPrecondition),
        (code_pb2.ABORTED, "ETAG_MISMATCH", errors.Aborted),
        (code_pb2.DATA_LOSS, "STREAM_CORRUPT", errors.DataLoss),
        (code_pb2.INTERNAL, "INTERNAL", errors.Internal),
        (code_pb2.UNKNOWN, "", errors.Internal),
    ],
)
def test_a_refusal_is_raised_once_as_its_class(
    client: Client, metadata: Metadata, code: int, reason: str, kind: type[errors.AssayError]
) -> None:
    metadata.script = [refusal(code, reason, field="parent")]
    with pytest.raises(kind) as caught:
        client.metadata.CreateModel(create())
    assert type(caught.value) is kind
    assert caught.value.reason == (reason or kind.code)
    assert caught.value.metadata == {"k": "v"}
    assert caught.value.fields == {"parent": "is bad"}
    assert len(metadata.requests) == 1


def test_retries_end_after_some_attempts_with_the_last_refusal(
    client: Client, metadata: Metadata
) -> None:
    metadata.script = [refusal(code_pb2.UNAVAILABLE, "UNAVAILABLE")] * 100
    with pytest.raises(errors.Unavailable):
        client.metadata.CreateModel(create())
    assert len(metadata.requests) == QUICK.max_attempts


def test_a_wait_that_the_deadline_forbids_is_not_begun(client: Client, metadata: Metadata) -> None:
    metadata.script = [refusal(code_pb2.UNAVAILABLE, "UNAVAILABLE", retry_seconds=60)]
    begin = time.monotonic()
    with pytest.raises(errors.Unavailable) as caught:
        client.metadata.CreateModel(create())
    assert caught.value.retry_seconds == 60
    assert time.monotonic() - begin < 50


def test_a_server_that_is_not_there_is_unavailable() -> None:
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    nowhere = dict.fromkeys(names, "127.0.0.1:1")
    with (
        Client.connect(endpoints=nowhere, token="t", retries=QUICK) as client,
        pytest.raises(errors.Unavailable),
    ):
        client.metadata.GetModel(api.GetModelRequest(name="m"))


def test_a_read_is_at_least_as_fresh_as_all_that_was_seen(
    client: Client, metadata: Metadata
) -> None:
    metadata.script = [TOKEN_10, TOKEN_9, "", ""]
    client.metadata.CreateModel(create())
    client.metadata.GetModel(api.GetModelRequest(name="m"))
    client.metadata.GetModel(api.GetModelRequest(name="m"))
    client.metadata.GetModel(api.GetModelRequest(name="m", at_least_as_fresh=TOKEN_9))
    asked = [
        request.at_least_as_fresh
        for request in metadata.requests
        if isinstance(request, api.GetModelRequest)
    ]
    assert asked == [TOKEN_10, TOKEN_10, TOKEN_9]
    assert client.consistency_token == TOKEN_10


async def test_the_async_client_does_the_same(
    endpoints: dict[str, str], metadata: Metadata
) -> None:
    metadata.script = [
        refusal(code_pb2.UNAVAILABLE, "UNAVAILABLE"),
        TOKEN_10,
        "",
        refusal(code_pb2.NOT_FOUND, "NOT_FOUND"),
    ]
    async with AsyncClient.connect(endpoints=endpoints, token="t", retries=QUICK) as client:
        made = await client.metadata.CreateModel(create())
        await client.metadata.GetModel(api.GetModelRequest(name="m"))
        with pytest.raises(errors.NotFound):
            await client.metadata.GetModel(api.GetModelRequest(name="n"))
    assert made.model.name == "made"
    first, again, read, _ = metadata.requests
    assert first == again
    assert isinstance(read, api.GetModelRequest)
    assert read.at_least_as_fresh == TOKEN_10
    assert metadata.headers[0]["authorization"] == "Bearer t"


@pytest.mark.parametrize(("limit", "count"), [(0, 25), (7, 7), (12, 12), (100, 25)])
def test_all_pages_are_collected_up_to_the_limit(client: Client, limit: int, count: int) -> None:
    answer = collect(client.metadata.ListModels, api.ListModelsRequest(parent="p"), limit)
    assert [model.name for model in answer.models] == [str(number) for number in range(count)]
    assert bool(answer.next_page_token) == (count < 25)


def test_a_client_finds_endpoints_and_owner_in_the_data_folder(
    endpoints: dict[str, str], metadata: Metadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = keys.generate()
    owner = "00000000-0000-4000-8000-000000000001"
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "issuer.pem").write_bytes(keys.to_pem(pair.private))
    jwks = write_jwks({"issuer": pair.public, "services/audit": keys.generate().public})
    (tmp_path / "identity" / "jwks.json").write_bytes(jwks)
    (tmp_path / "secrets.json").write_text(json.dumps({"owner": owner}))
    (tmp_path / "endpoints.json").write_text(json.dumps({**endpoints, "nats": "x"}))
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    with Client.connect() as client:
        client.metadata.GetModel(api.GetModelRequest(name="m"))
        assert client.principal == f"principals/{owner}"
    header = str(metadata.headers[0]["authorization"])
    claims = tokens.Verifier(jwks, "assay").verify(header.removeprefix("Bearer "), int(time.time()))
    assert claims.principal == f"principals/{owner}"
    with Client.connect(as_user="ann") as ann, Client.connect(as_user="ann") as same:
        assert ann.principal == same.principal != f"principals/{owner}"
