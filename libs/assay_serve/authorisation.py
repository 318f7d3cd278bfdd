"""What a caller may call at all; what it may do there is for the rules of the domain."""

from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events.decider import Forbidden

_SERVICE = ActorKind.ACTOR_KIND_SERVICE  # looked up once, not at each call
_READS = ("Get", "List", "Resolve", "Watch", "WhoApproved")


def authorise(actor: Actor, method: str, *, is_internal: bool) -> None:
    """Let services ask, and call internal methods; let every other actor call the rest."""
    is_service = actor.kind == _SERVICE
    if is_service and not is_internal and not method.rpartition("/")[2].startswith(_READS):
        raise _forbidden(method, f"Call {method} as a person or a workload: services only ask.")
    if is_internal and not is_service:
        raise _forbidden(method, f"Leave {method} to Assay's own services.")


def _forbidden(method: str, message: str) -> Forbidden:
    return Forbidden(Reason.REASON_NOT_ALLOWED, message, method=method)
