"""Who signs: the login whose key file lies in the data folder."""

from pathlib import Path

from assay import credentials
from assay.cli.command import Context
from assay.errors import FailedPrecondition, NotFound
from assay.folder import OWNER
from assay_trust import keyfiles


def signer_login(context: Context) -> str:
    """Return the login that signs: `--as`, else that of the stored session."""
    login = context.as_user
    if not login and context.folder.session.exists():
        login = str(credentials.read_session(context.folder)["login"])
    if not login or login == OWNER:
        raise FailedPrecondition(
            "The local owner never signs: say who does with --as USER.",
            reason="OWNER_MAY_NOT_SIGN",
        )
    return login


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
