"""Bulk import and export of the SDK, against a real server that misbehaves on purpose."""

# ruff: noqa: N802 - methods carry the names of the proto
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from assay import bulk, bulk_files, errors
from assay.bulk import Imported
from assay.calls import RetryPolicy
from assay.cli import imports
from assay.client import AsyncClient, Client
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import add_MetadataServiceServicer_to_server
from assay.metadata.v1.resources_pb2 import Alias, Model, ModelVersion, Stage, StageHolder
from assay.names import MalformedName

QUICK = RetryPolicy(max_attempts=4, first_delay_seconds=0.001, max_delay_seconds=0.01)
A, B = "namespaces/default/models/a", "namespaces/default/models/b"


class Registry:
    """Keeps batches by their numbers; loses the connection before some answers, once each."""

    def __init__(self) -> None:
        self.batches: dict[int, api.ImportRequest] = {}
        self.lost: list[int] = []
        self.refused = 0
        self.ends_before = 0
        self.calls = 0
        self.parts: list[api.ExportResponse] = []
        self.tokens: list[str] = []

    def Import(
        self, requests: Iterator[api.ImportRequest], context: grpc.ServicerContext
    ) -> Iterator[api.ImportResponse]:
        self.calls += 1
        for request in requests:
            if request.batch == self.ends_before:
                return
            if request.batch == self.refused:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "items[0]: no")
            is_known = request.batch in self.batches
            assert self.batches.setdefault(request.batch, request) == request
            if request.batch in self.lost:
                self.lost.remove(request.batch)
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
            yield api.ImportResponse(
                batch=request.batch,
                is_known=is_known,
                written_versions=0 if is_known else len(request.items),
                consistency_token="YXNzYXkxOjk",
            )

    def Export(
        self, request: api.ExportRequest, context: grpc.ServicerContext
    ) -> Iterator[api.ExportResponse]:
        self.tokens.append(request.at_least_as_fresh)
        if request.parent == "gone":
            context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        yield from self.parts

    def __getattr__(self, name: str) -> object:
        if name[0].isupper():
            return None
        raise AttributeError(name)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def endpoints(registry: Registry) -> Iterator[dict[str, str]]:
    server = grpc.server(ThreadPoolExecutor(4))
    add_MetadataServiceServicer_to_server(registry, server)  # type: ignore[arg-type]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    names = ("metadata", "artifact", "lineage", "approval", "audit")
    yield dict.fromkeys(names, f"127.0.0.1:{port}")
    server.stop(None)


@pytest.fixture
def client(endpoints: dict[str, str]) -> Iterator[Client]:
    with Client.connect(endpoints=endpoints, token="x.e30.x") as connected:
        yield connected


def version(model: str, number: int, text: str = "") -> api.ImportItem:
    return api.ImportItem(
        model_version=ModelVersion(name=f"{model}/versions/{number}", description=text)
    )


def versions(model: str, count: int) -> list[api.ImportItem]:
    return [version(model, number) for number in range(1, count + 1)]


def run(
    client: Client, items: list[api.ImportItem], seen: list[Imported] | None = None
) -> Imported:
    told = [] if seen is None else seen
    return bulk.import_items(
        client, items, import_id=str(uuid4()), listen=told.append, retries=QUICK
    )


def test_neighbours_of_one_model_share_a_batch() -> None:
    items = [*versions(A, 3), *versions(B, 1), *versions(A, 501)]
    found = [(batch.number, batch.model, len(batch.items)) for batch in bulk.batches(items)]
    assert found == [(1, A, 3), (2, B, 1), (3, A, 500), (4, A, 1)]


def test_a_batch_is_cut_before_it_gets_too_large_to_send() -> None:
    items = [version(A, number, "x" * 50_000) for number in range(1, 301)]
    found = list(bulk.batches(items))
    assert [item for batch in found for item in batch.items] == items
    assert max(api.ImportRequest(items=batch.items).ByteSize() for batch in found) < 8 * 2**20
    assert len(found) > 1


def test_all_items_are_sent_in_order(client: Client, registry: Registry) -> None:
    items, seen = versions(A, 2_600), list[Imported]()
    done = run(client, items, seen)
    sent = [item for _, batch in sorted(registry.batches.items()) for item in batch.items]
    assert sent == items
    assert (done.items, done.batches, done.written_versions) == (2_600, 6, 2_600)
    assert [imported.batches for imported in seen] == [1, 2, 3, 4, 5, 6]
    assert client.consistency_token == "YXNzYXkxOjk"


def test_nothing_to_import_is_done(client: Client, registry: Registry) -> None:
    assert run(client, []) == Imported()
    assert registry.batches == {}


@pytest.mark.parametrize("lost", [[1], [3], [6], [1, 2, 3, 4, 5, 6]])
def test_batches_are_sent_again_when_the_connection_is_lost(
    client: Client, registry: Registry, lost: list[int]
) -> None:
    registry.lost = list(lost)
    done = run(client, versions(A, 2_600))
    assert sorted(registry.batches) == [1, 2, 3, 4, 5, 6]
    assert (done.items, done.known_batches) == (2_600, len(lost))
    assert registry.calls == 1 + len(lost)


def test_it_gives_up_after_some_attempts(client: Client, registry: Registry) -> None:
    registry.lost = [2] * 9
    with pytest.raises(errors.Unavailable) as caught:
        run(client, versions(A, 900))
    assert caught.value.metadata["batch"] == "2"
    assert registry.calls == QUICK.max_attempts


def test_a_refused_batch_is_named(client: Client, registry: Registry) -> None:
    registry.refused = 2
    with pytest.raises(errors.Invalid, match=r"items\[0\]: no") as caught:
        run(client, [*versions(A, 2), *versions(B, 2), *versions(A, 1)])
    assert caught.value.metadata == {"batch": "2", "model": B}
    assert sorted(registry.batches) == [1]


def test_an_answer_that_does_not_come_is_an_error(client: Client, registry: Registry) -> None:
    registry.ends_before = 2
    with pytest.raises(errors.Unavailable, match="run it again"):
        run(client, versions(A, 900))


def test_an_item_without_a_whole_name_is_refused_before_it_is_sent(
    client: Client, registry: Registry
) -> None:
    with pytest.raises(MalformedName):
        run(client, [api.ImportItem(model_version=ModelVersion(number=1))])
    with pytest.raises(errors.Invalid):
        run(client, [api.ImportItem()])
    assert registry.batches == {}


def test_an_export_yields_the_items_of_all_parts(client: Client, registry: Registry) -> None:
    registry.parts = [api.ExportResponse(items=versions(model, 2)) for model in (A, B)]
    client.saw("YXNzYXkxOjEw")
    assert list(bulk.export_items(client, "namespaces/default")) == versions(A, 2) + versions(B, 2)
    assert registry.tokens == ["YXNzYXkxOjEw"]
    with pytest.raises(errors.NotFound):
        list(bulk.export_items(client, "gone"))


async def test_the_async_client_streams_both_ways(
    endpoints: dict[str, str], registry: Registry
) -> None:
    requests = [api.ImportRequest(batch=number) for number in (1, 2)]
    async with AsyncClient.connect(endpoints=endpoints, token="x.e30.x") as connected:
        call = connected.metadata.Import(iter(requests))
        assert [answer.batch async for answer in call] == [1, 2]


def everything() -> list[api.ImportItem]:
    made = Timestamp(seconds=1_700_000_000)
    parent = f"{B}/versions/1"
    return [
        api.ImportItem(model=Model(name=A, description="größer \u2028 😀", create_time=made)),
        api.ImportItem(
            model_version=ModelVersion(
                name=f"{A}/versions/1",
                run="namespaces/default/runs/r",
                parent_versions=[parent],
                creator="principals/p",
                create_time=made,
            )
        ),
        api.ImportItem(alias=Alias(name=f"{A}/aliases/x", version=f"{A}/versions/1")),
        api.ImportItem(
            stage=Stage(
                name=f"{A}/stages/x",
                version=f"{A}/versions/1",
                holders=[StageHolder(version=f"{A}/versions/1")],
            )
        ),
        api.ImportItem(changed_model=Model(name=A)),
    ]


def test_a_file_holds_an_item_a_line(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    assert bulk_files.write(path, everything()) == 5
    source = bulk_files.Source.of(path)
    assert (source.count, len(path.read_bytes().splitlines())) == (5, 5)
    found = list(source.items())
    assert found[0].model.description == "größer \u2028 😀"
    claim = found[1].model_version.imported
    assert (claim.author, claim.create_time.seconds) == ("principals/p", 1_700_000_000)
    assert claim.source == f"export:{source.import_id}"
    assert found[2:] == everything()[2:]
    assert list(tmp_path.iterdir()) == [path]


def test_items_are_named_below_another_namespace(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    bulk_files.write(path, everything())
    moved = bulk_files.Source.of(path, "other").items()
    assert "namespaces/default" not in "".join(map(str, moved))


def test_the_import_id_follows_from_the_bytes_and_the_namespace(tmp_path: Path) -> None:
    path, copy, other = (tmp_path / name for name in ("a", "b", "c"))
    bulk_files.write(path, everything())
    bulk_files.write(copy, everything())
    bulk_files.write(other, everything()[:1])
    ids = [bulk_files.Source.of(file).import_id for file in (path, copy, other)]
    assert ids[0] == ids[1] != ids[2]
    assert bulk_files.Source.of(path, "other").import_id != ids[0]


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text("mine")
    with pytest.raises(errors.FailedPrecondition, match="--force"):
        bulk_files.write(path, everything())
    assert path.read_text() == "mine"
    bulk_files.write(path, everything(), force=True)
    assert bulk_files.Source.of(path).count == 5


def test_an_export_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[api.ImportItem]:
        yield everything()[0]
        raise errors.Unavailable("away")

    with pytest.raises(errors.Unavailable):
        bulk_files.write(tmp_path / "items.jsonl", broken())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"\xff",
        b"[1]",
        b'{"model": {"colour": "red"}}',
        b'{"model": {"name": "a"}}',
        b"{}",
        b'{"model":' * 100_000,
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "items.jsonl"
    bulk_files.write(path, everything()[:1])
    path.write_bytes(path.read_bytes() + b"\n" + line + b"\n")
    with pytest.raises(errors.Invalid, match="line 3: ") as caught:
        list(bulk_files.Source.of(path).items())
    assert caught.value.metadata == {"line": "3"}


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.Invalid):
        bulk_files.Source.of(tmp_path / "none")
    with pytest.raises(MalformedName):
        bulk_files.Source.of(tmp_path / "none", "No Namespace")


def test_a_bar_shows_how_many_items_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with imports.bar(4, quiet=False) as listen:
        listen(Imported(items=3))
    assert "3/4" in terminal.getvalue()
    with imports.bar(4, quiet=True) as listen:
        listen(Imported(items=4))
    assert "4/4" not in terminal.getvalue()
