"""How fresh the last command's answers were, kept in the data folder for the next command."""

from contextlib import suppress
from typing import TYPE_CHECKING

from assay.folder import DataFolder, write_private

if TYPE_CHECKING:
    from assay.client import Client

_MAX_TOKEN_BYTES = 256


def recall(folder: DataFolder, client: "Client") -> None:
    """Let `client` read at least what earlier commands saw."""
    with suppress(OSError, UnicodeDecodeError):
        client.saw(folder.freshness.read_bytes()[:_MAX_TOKEN_BYTES].decode("ascii").strip())


def keep(folder: DataFolder, client: "Client") -> None:
    """Keep the newest token that `client` has seen, where the folder may be written."""
    recall(folder, client)  # another command may have kept a newer one meanwhile
    if client.consistency_token and folder.freshness.parent.is_dir():
        with suppress(OSError):
            write_private(folder.freshness, client.consistency_token.encode("ascii"))
