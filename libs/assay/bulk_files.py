"""Files of an export: an item a line, as the JSON of its proto."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid5

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from assay.bulk import model_of
from assay.errors import FailedPrecondition, Invalid
from assay.metadata.v1.metadata_service_pb2 import ImportItem
from assay.metadata.v1.resources_pb2 import Imported
from assay.names import MalformedName, NamespaceName

_IMPORTS = UUID("0b8a4d0e-5f6c-5d52-9e57-6f3f0a9f7a11")


def write(path: Path, items: Iterable[ImportItem], *, force: bool = False) -> int:
    """Write items to a file that is whole or not there; return how many."""
    if path.exists() and not force:
        raise FailedPrecondition(
            f"{path} exists; name another file, or replace it with --force.", reason="FILE_EXISTS"
        )
    partial = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with partial.open("w", encoding="utf-8") as file:
            for item in items:
                line = json_format.MessageToJson(
                    item, indent=None, preserving_proto_field_name=True, ensure_ascii=False
                )
                file.write(f"{line}\n")
                count += 1
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import from, and the namespace to import into, empty for that of each item.

    Attributes:
        count: Items in it.
        import_id: UUID that is the same for the same bytes and the same namespace.
    """

    path: Path
    namespace: str
    count: int
    import_id: str

    @classmethod
    def of(cls, path: Path, namespace: str = "") -> "Source":
        """Return the file, read once to know it."""
        if namespace:
            NamespaceName.parse(f"namespaces/{namespace}")
        if not path.is_file():
            raise Invalid(f"Name a file that `assay export` wrote; {path} is none.")
        count, digest = 0, sha256()
        with path.open("rb") as file:
            for line in file:
                digest.update(line)
                count += bool(line.strip())
        import_id = uuid5(_IMPORTS, f"{digest.hexdigest()}\n{namespace}")
        return cls(path, namespace, count, str(import_id))

    def items(self, import_id: str = "") -> Iterator[ImportItem]:
        """Yield the items of the file, named below the namespace, with who made them as a claim.

        The claim names the import, `import_id` where it is another than that of the file.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    item = self._parsed(number, line)
                    _claim(item, f"export:{import_id or self.import_id}")
                    yield renamed(item, self.namespace) if self.namespace else item

    def _parsed(self, number: int, line: bytes) -> ImportItem:
        wrong: Exception
        try:
            item: ImportItem = json_format.Parse(line, ImportItem())
            model_of(item)
        except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
            cause, wrong = "give one item as JSON, as `assay export` writes it.", error
        except (MalformedName, Invalid) as error:
            cause, wrong = str(error), error
        else:
            return item
        raise Invalid(
            f"{self.path}, line {number}: {cause}",
            reason="MALFORMED",
            metadata={"line": str(number)},
        ) from wrong


def renamed(item: ImportItem, namespace: str) -> ImportItem:
    """Return an item that is named, and names others, below another namespace."""

    def moved(name: str) -> str:
        parts = name.split("/", 2)
        return "/".join(["namespaces", namespace, *parts[2:]]) if name else ""

    given = ImportItem()
    given.CopyFrom(item)
    match given.WhichOneof("item"):
        case "model":
            given.model.name = moved(given.model.name)
        case "changed_model":
            given.changed_model.name = moved(given.changed_model.name)
        case "model_version":
            version = given.model_version
            version.name, version.run = moved(version.name), moved(version.run)
            version.parent_versions[:] = map(moved, version.parent_versions)
        case "alias":
            given.alias.name = moved(given.alias.name)
            given.alias.version = moved(given.alias.version)
        case "stage":
            given.stage.name, given.stage.version = (
                moved(given.stage.name),
                moved(given.stage.version),
            )
            for holder in given.stage.holders:
                holder.version = moved(holder.version)
    return given


def _claim(item: ImportItem, source: str) -> None:
    """Let an item that was made in the registry it comes from say so, by whom, and when."""
    if item.HasField("model") and not item.model.HasField("imported"):
        item.model.imported.CopyFrom(_imported(source, "", item.model.create_time))
    if item.HasField("model_version") and not item.model_version.HasField("imported"):
        version = item.model_version
        version.imported.CopyFrom(_imported(source, version.creator, version.create_time))


def _imported(source: str, author: str, create_time: Timestamp) -> Imported:
    known = create_time if create_time.seconds else None
    return Imported(source=source, author=author, create_time=known)
