"""What each variable is, read from what the other services know of a version."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from assay.metadata.v1.resources_pb2 import Model, ModelCard, ModelVersion
from assay_approval.cel import spelling
from assay_approval.cel.spelling import BadInputs, Value

MAX_RECORDED_BYTES = 16 * 1024
_ANY_BYTES = 1 << 30
_CARD_PARTS = ("purpose", "limits", "data", "metrics", "ethics", "licence")


class ScanVerdict(StrEnum):
    """What a scan of a version's files came to."""

    UNKNOWN = "unknown"
    CLEAN = "clean"
    SUSPICIOUS = "suspicious"
    MALICIOUS = "malicious"


@dataclass(frozen=True, slots=True)
class Scan:
    """The verdict on a version's files, and how many findings are critical."""

    verdict: ScanVerdict = ScanVerdict.UNKNOWN
    critical: int = 0


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that went into a version; `split` is what it was used for, such as train."""

    name: str = ""
    digest: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version came from: its run, who ran the training, and what went in."""

    run: str = ""
    trainers: Sequence[str] = ()
    datasets: Sequence[Dataset] = ()
    inputs: Sequence[str] = ()


def of_version(version: ModelVersion) -> Mapping[str, Value]:
    """Return the variables of a version and its card."""
    by_dataset: dict[str, dict[str, Value]] = {}
    for metric in version.metrics:
        by_dataset.setdefault(metric.dataset, {})[metric.key] = metric.value
    return {
        "version.name": version.name,
        "version.number": version.number,
        "version.semantic_version": version.semantic_version,
        "version.tags": dict(version.tags),
        "version.params": dict(version.params),
        "version.metrics": by_dataset.pop("", {}),
        "version.metrics_by_dataset": by_dataset,
        "version.size_bytes": version.size_bytes,
        "version.file_count": version.file_count,
        "version.format.name": version.format.name,
        "version.format.version": version.format.version,
        "version.external": bool(version.external_uri),
        "version.has_signature": version.HasField("signature"),
        **_of_card(version.card),
    }


def of_model(model: Model) -> Mapping[str, Value]:
    """Return the variables of a model."""
    return {
        "model.tags": dict(model.tags),
        "model.tier": model.tier,
        "model.owners": list(model.owners),
        "model.intended_use": model.intended_use,
    }


def of_scan(scan: Scan) -> Mapping[str, Value]:
    """Return the variables of a scan, none where nobody has scanned the files."""
    if scan.verdict is ScanVerdict.UNKNOWN:
        return {}
    return {"scan.verdict": scan.verdict.value, "scan.critical": scan.critical}


def why_absent(variable: str) -> str:
    """Return why a variable has no value."""
    if variable.startswith("scan."):
        return f"{variable} is not known: nobody has scanned the files."
    return f"{variable} was left out of the inputs."


def of_lineage(lineage: Lineage) -> Mapping[str, Value]:
    """Return the variables of the lineage."""
    return {
        "lineage.run": lineage.run,
        "lineage.trainers": list(lineage.trainers),
        "lineage.datasets": [
            {"name": each.name, "digest": each.digest, "split": each.split}
            for each in lineage.datasets
        ],
        "lineage.inputs": list(lineage.inputs),
    }


def fitted(values: Mapping[str, Value], needed: Collection[str]) -> Mapping[str, Value]:
    """Return what fits an event: without the longest that nobody needs, as few as it takes."""
    kept = dict(values)
    sizes = {name: len(spelling.spell({name: value}, _ANY_BYTES)) for name, value in kept.items()}
    while len(spelling.spell(kept, _ANY_BYTES)) > MAX_RECORDED_BYTES:
        free = kept.keys() - set(needed)
        longest = max(free or kept, key=lambda name: (sizes[name], name))
        if not free:
            raise BadInputs(
                f"Shorten {longest}: what the conditions read may have"
                f" {MAX_RECORDED_BYTES} bytes in all."
            )
        del kept[longest]
    return kept


def _of_card(card: ModelCard) -> Mapping[str, Value]:
    texts: dict[str, str] = {part: getattr(card, part) for part in _CARD_PARTS}
    filled = sum(text != "" for text in texts.values())
    parts = {f"card.{part}": text for part, text in texts.items()}
    return {**parts, "card.completeness": filled / len(_CARD_PARTS)}
