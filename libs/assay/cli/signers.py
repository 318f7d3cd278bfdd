"""Who signs: the login whose key file lies in the data folder."""

import os
from pathlib import Path

from assay import credentials
from assay.cli.command import Context
from assay.errors import FailedPrecondition, NotFound
from assay.folder import OWNER
from assay_trust import keyfiles


def signer_login(context: Context) -> str:
    """Return the login that signs: `--as`, else that of the stored session."""
    login = acting_login(context)
    if login in ("", OWNER):
        raise FailedPrecondition(
            "Neither the local owner nor a bare token signs: say who does with --as USER.",
            reason="OWNER_MAY_NOT_SIGN",
        )
    return login


def acting_login(context: Context) -> str:
    """Return the login that acts: `--as`, none of a token's, the stored session's, the owner's."""
    if context.as_user or os.environ.get("ASSAY_TOKEN"):
        return context.as_user
    if context.folder.session.exists():
        return str(credentials.read_session(context.folder)["login"])
    return OWNER


def signer_public_key(context: Context, login: str) -> tuple[Path, bytes]:
    """Return the key file of a login, and the public key that it claims."""
    path = context.folder.key_file(login)
    if not path.exists():
        context.hints["KEY_NOT_ENROLLED"] = context.command("key", "enrol", "--as", login)
        raise NotFound(
            f"{login} has no signing key in this data folder.",
            reason="KEY_NOT_ENROLLED",
            metadata={"login": login, "path": str(path)},
        )
    return path, keyfiles.public_of(path.read_bytes())
