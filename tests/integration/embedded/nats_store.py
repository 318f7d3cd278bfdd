"""The stream as tests of the accounts use it: as its set-up user, and as each service."""

import json

import nats as client
from nats.aio.client import Client
from nats.aio.msg import Msg

from assay_serve.embedded import nats

OWN = "assay.v1.{}.model.a"
STREAM = {
    "name": "ASSAY",
    "subjects": ["assay.v1.>"],
    "storage": "file",
    "discard": "new",
    "deny_delete": True,
    "deny_purge": True,
    "allow_direct": True,
    "allow_atomic": True,
}


class Store:
    """The stream as its set-up user sees it, and a connection for each service."""

    def __init__(self, setup: Client, services: dict[str, Client]) -> None:
        self.setup = setup
        self.services = services

    async def state(self) -> dict[str, object]:
        """Return all that a service must not be able to change."""
        info = json.loads((await self.setup.request("$JS.API.STREAM.INFO.ASSAY")).data)
        names = json.loads((await self.setup.request("$JS.API.STREAM.NAMES")).data)
        state = info["state"]
        kept = {name: state[name] for name in ("messages", "first_seq", "last_seq")}
        return {**kept, "config": info["config"], "streams": names["streams"]}


async def connect(bus: nats.Bus, user: str) -> Client:
    return await client.connect(
        bus.url, user=user, password=bus.passwords[user], inbox_prefix=f"_INBOX_{user}".encode()
    )


async def ask(
    connection: Client, subject: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> object:
    answer = await connection.request(subject, body, timeout=30, headers=headers)
    parsed: object = json.loads(answer.data)
    return parsed


def at(answer: object, *path: str) -> object:
    """Return what stands in `answer` under these names; nothing where one is not there."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer


def consumer_request(name: str, **more: object) -> bytes:
    config = {
        "name": name,
        "ack_policy": "none",
        "mem_storage": True,
        "deliver_policy": "all",
        "inactive_threshold": 30 * 10**9,
        **more,
    }
    return json.dumps({"stream_name": "ASSAY", "config": config}).encode()


async def make_consumer(connection: Client, name: str) -> None:
    made = await ask(connection, f"{nats.API}.CONSUMER.CREATE.ASSAY.{name}", consumer_request(name))
    assert at(made, "error") is None, made


def requests(service: str) -> list[tuple[str, bytes]]:
    """Return one request of each kind that the store answers."""
    return [
        (f"{nats.API}.DIRECT.GET.ASSAY", b'{"seq": 1}'),
        (f"{nats.API}.DIRECT.GET.ASSAY", b'{"seq": 1, "batch": 5, "next_by_subj": "assay.v1.>"}'),
        (f"{nats.API}.DIRECT.GET.ASSAY.{OWN.format(service)}", b""),
        (f"{nats.API}.CONSUMER.CREATE.ASSAY.reader", consumer_request("reader")),
        (f"{nats.API}.CONSUMER.MSG.NEXT.ASSAY.reader", b'{"batch": 5, "no_wait": true}'),
        (f"{nats.API}.STREAM.INFO.ASSAY", b""),
        ("assay.ops.varz", b""),
    ]


async def pull(connection: Client, consumer: str, count: int) -> list[Msg]:
    body = json.dumps({"batch": 1000, "expires": 2 * 10**9}).encode()
    subject = f"{nats.API}.CONSUMER.MSG.NEXT.ASSAY.{consumer}"
    return await stream(connection, subject, body, count)


async def stream(connection: Client, subject: str, body: bytes, count: int) -> list[Msg]:
    inbox = connection.new_inbox()
    answers = await connection.subscribe(inbox)
    await connection.publish(subject, body, reply=inbox)
    found = [await answers.next_msg(timeout=30) for _ in range(count)]
    await answers.unsubscribe()
    return found
