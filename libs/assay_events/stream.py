"""The stream's settings: made once by the set-up, checked at every start and while running."""

import json
from collections.abc import Mapping
from typing import Any, Final

from assay_events.connection import Connection
from assay_events.errors import StreamCorrupt
from assay_events.jetstream import STREAM

NO_SUCH_STREAM = 10059

SETTINGS: Final[Mapping[str, object]] = {
    "name": STREAM,
    "subjects": ["assay.v1.>"],
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_consumers": -1,
    "deny_delete": True,
    "deny_purge": True,
    "allow_direct": True,
    "allow_atomic": True,
    "allow_rollup_hdrs": False,
    "allow_msg_ttl": False,
    "sealed": False,
    "compression": "none",
}
_ABSENT_MEANS_FALSE = {"allow_rollup_hdrs", "allow_msg_ttl", "sealed"}


async def check(connection: Connection) -> None:
    """Raise StreamCorrupt where the stream or the server could lose or alter an acknowledged event.

    Aise StreamCorrupt where the stream or the server could lose or alter an acknowledged event.
    """
    info = await connection.api(f"STREAM.INFO.{STREAM}")
    if "error" in info:
        raise StreamCorrupt(
            f"The stream {STREAM} is not there: {info['error'].get('description')}."
        )
    drift = drifted(info["config"])
    if drift:
        raise StreamCorrupt(f"The stream's settings have drifted: {'; '.join(drift)}.")
    if not await _syncs_always(connection):
        raise StreamCorrupt(
            "The NATS server does not fsync each message; set sync_interval: always."
        )


def drifted(config: Mapping[str, Any]) -> list[str]:
    """Return what differs between a stream's configuration and what it must be.

    One sentence part each.
    """
    found = [
        f"{key} is {config.get(key)!r}, must be {wanted!r}"
        for key, wanted in SETTINGS.items()
        if config.get(key, _absent(key)) != wanted
    ]
    if config.get("persist_mode", "default") == "async":
        found.append("persist_mode is 'async', must be 'default'")
    found += [
        f"{key} is set"
        for key in ("mirror", "sources", "republish", "subject_transform")
        if config.get(key)
    ]
    return found


async def _syncs_always(connection: Connection) -> bool:
    """Ask the server itself: the printed interval says nothing, `sync_always` does."""
    answer = await connection.request("assay.ops.varz")
    data = json.loads(answer.data).get("data", {})
    return data.get("jetstream", {}).get("config", {}).get("sync_always") is True


def _absent(key: str) -> object:
    return False if key in _ABSENT_MEANS_FALSE else None
