"""What a caller may choose of an import."""

import uuid
from dataclasses import dataclass

_IMPORTS = uuid.UUID("6a0c3d2e-6f0d-5c57-9d5e-1f2b3b6a7c11")


@dataclass(frozen=True, slots=True)
class Options:
    """What to import and how.

    Attributes:
        namespace: Id of the namespace that takes the models.
        models: Names of the models, all where there is none.
        with_files: Take the files too; else each version refers to where they lie.
        is_dry_run: Read everything and write nothing.
        allow_missing: Leave files that the source cannot read where they lie.
        check_bytes: Download the files again at the end, and compare their digests.
        command_options: What commands for the same namespace take, such as --namespace risk.
    """

    namespace: str = "default"
    models: tuple[str, ...] = ()
    with_files: bool = True
    is_dry_run: bool = False
    allow_missing: bool = False
    check_bytes: bool = False
    command_options: tuple[str, ...] = ()


def import_id(source: str, namespace: str, model: str) -> str:
    """Return the id of the import of one model: whoever goes on with it finds the same."""
    return str(uuid.uuid5(_IMPORTS, f"{source}\n{namespace}\n{model}"))
