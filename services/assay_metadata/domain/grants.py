"""What a governed move must bring: a grant that has not ended, else it says how to ask for one."""

import re

from assay.error.v1.error_reason_pb2 import Reason
from assay.names import AliasName, StageName, VersionName, target
from assay_events.decider import Forbidden
from assay_metadata.domain.state import Model, version_of


def check_not_ended(name: str, approval: str, state: Model) -> None:
    """Refuse an approval whose grant was taken back."""
    if approval in state.ended_grants:
        raise Forbidden(
            Reason.REASON_APPROVAL_REVOKED,
            f"Ask for a new approval: {approval} was revoked.",
            approval=approval,
            target=name,
        )


def approval_required(model: str, name: str, number: int) -> Forbidden:
    """Return the refusal of a governed move without a grant; it says how to ask for one."""
    version = version_of(model, number)
    ask = _how_to_ask(target(name), VersionName.parse(version))
    return Forbidden(
        Reason.REASON_APPROVAL_REQUIRED,
        f"A policy governs {name} and no live grant covers {version}; ask for one: {ask}",
        target=name,
        version=version,
        command=ask,
    )


def _how_to_ask(asked: AliasName | StageName, version: VersionName) -> str:
    """Return the command that opens the approval."""
    is_default = version.namespace == "default"
    subject = f"{version.model}/{version.number}" if is_default else str(version)
    option = (
        f"--alias {_shell_word(asked.alias)}"
        if isinstance(asked, AliasName)
        else f"--stage {_shell_word(asked.stage)}"
    )
    return f"assay approval request {_shell_word(subject)} {option}"


def _shell_word(text: str) -> str:
    """Return `text` as one word of a POSIX shell."""
    if re.fullmatch(r"[A-Za-z0-9_@%+=,./-]+", text) and not text.startswith("-"):
        return text
    quoted = text.replace("'", "'\"'\"'")
    return f"'{quoted}'"
