"""The rules of a key claim, on the key's own subject: a key belongs to one principal for ever."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.approval.v1.events_pb2 import KeyClaimed
from assay.error.v1.error_reason_pb2 import Reason
from assay_events.decider import Decider, Rejection


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """Claim a key, whose holder has proven to hold it, for a principal."""

    public_key: bytes
    principal: str


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """Whose the key is."""

    principal: str = ""


def aggregate_name(public_key: bytes) -> str:
    """Return the name of the claim: the whole key, since two keys can be made to share a key id."""
    return f"keys/{public_key.hex()}"


def decide(command: ClaimKey, state: KeyClaim) -> Sequence[KeyClaimed]:
    """Return the claim, or nothing where the principal has it already."""
    if not state.principal:
        name = f"{aggregate_name(command.public_key)}/{command.principal}"
        return [KeyClaimed(name=name, public_key=command.public_key)]
    if state.principal != command.principal:
        raise key_taken()
    return []


def evolve(state: KeyClaim, event: KeyClaimed) -> KeyClaim:
    """Return the state after `event`: the first claim stays."""
    return state if state.principal else KeyClaim("/".join(event.name.split("/")[2:]))


def key_taken() -> Rejection:
    """Return the refusal of a key that was enrolled before."""
    return Rejection(
        Reason.REASON_KEY_TAKEN,
        "Make a new key: this one was enrolled before, and a key is never enrolled again.",
    )


KEY: Decider[ClaimKey, KeyClaim, KeyClaimed] = Decider(
    context="approval",
    aggregate="key",
    initial=KeyClaim(),
    decide=decide,
    evolve=evolve,
    events=(KeyClaimed,),
)
