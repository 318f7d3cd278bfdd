"""All that a version says of itself, for people."""

from collections.abc import Sequence

from assay import cards
from assay.cli.listings import metrics, pairs, state
from assay.cli.screen import Screen, moment, short_version, size
from assay.metadata.v1.resources_pb2 import Format, Imported, ModelCard, ModelVersion, Tensor


def show_version(screen: Screen, version: ModelVersion) -> None:
    """Print a version in full, but for the words of its card."""
    signature = version.signature
    screen.facts(
        [
            ("name", version.name),
            ("semantic version", version.semantic_version),
            ("state", state(version.state)),
            ("manifest", version.manifest_digest),
            ("files", "" if version.external_uri else _files(version)),
            ("files at", version.external_uri),
            ("format", _format(version.format)),
            ("inputs", _tensors(signature.inputs)),
            ("outputs", _tensors(signature.outputs)),
            ("aliases", ", ".join(version.aliases)),
            ("stages", ", ".join(version.stages)),
            ("metrics", metrics(version)),
            ("params", pairs(version.params)),
            ("tags", pairs(version.tags)),
            ("made from", ", ".join(map(short_version, version.parent_versions))),
            ("run", version.run),
            ("card", _card(version.card)),
            ("description", version.description),
            ("imported", _imported(version.imported)),
            ("registered", f"{moment(version.create_time)} by {screen.who(version.creator)}"),
            ("etag", version.etag),
        ]
    )


def _files(version: ModelVersion) -> str:
    if not version.manifest_digest:
        return "none yet"
    return f"{version.file_count}, {size(version.size_bytes)}"


def _format(form: Format) -> str:
    flavors = f" (flavors {', '.join(sorted(form.flavors))})" if form.flavors else ""
    return f"{form.name} {form.version}".strip() + flavors


def _tensors(tensors: Sequence[Tensor]) -> str:
    return ", ".join(
        f"{tensor.name} {tensor.type}{list(tensor.shape) if tensor.shape else ''}"
        f"{' (optional)' if tensor.is_optional else ''}".strip()
        for tensor in tensors
    )


def _card(card: ModelCard) -> str:
    parts = cards.filled(card)
    return f"{len(parts)} of {len(cards.PARTS)} parts" if parts else ""


def _imported(imported: Imported) -> str:
    author = f" by {imported.author}" if imported.author else ""
    when = f" at {moment(imported.create_time)}" if moment(imported.create_time) else ""
    return f"{imported.source}{author}{when}"
