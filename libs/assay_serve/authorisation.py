"""What a caller may call at all; what it may do there is for the rules of the domain."""

from assay.error.v1.error_reason_pb2 import Reason
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_events.decider import Forbidden


def authorise(actor: Actor, method: str, *, is_internal: bool) -> None:
    """Let services call internal methods and every authenticated actor the others."""
    if is_internal and actor.kind != ActorKind.ACTOR_KIND_SERVICE:
        raise Forbidden(
            Reason.REASON_NOT_ALLOWED,
            f"Leave {method} to Assay's own services.",
            method=method,
        )
