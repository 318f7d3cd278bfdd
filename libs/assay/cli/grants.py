"""What a grant brings about: the stage or alias moves by itself, a moment later."""

import time

from assay.approval.v1.resources_pb2 import Approval
from assay.client import Client
from assay.errors import NotFound
from assay.metadata.v1.metadata_service_pb2 import ResolveRequest

_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.1


def wait_until_moved(client: Client, approval: Approval) -> bool:
    """Say whether the version holds the target of its granted approval, within some seconds."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        if _holder(client, approval.target) == approval.version:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(_PAUSE_SECONDS)


def _holder(client: Client, target: str) -> str:
    try:
        response = client.metadata.Resolve(ResolveRequest(name=target))
    except NotFound:
        return ""
    return response.model_version.name
