"""Measures Magika, a model that tells what a file is, on files whose kind is known."""

import statistics
import sysconfig
import time
from hashlib import sha256
from pathlib import Path

import magika
import onnxruntime
from magika import Magika

_KINDS = {".py": "python", ".h": "c", ".txt": "txt", ".json": "json", ".toml": "toml"}
_EACH = 40
_MIN_BYTES = 1000


def weights() -> Path:
    """Return the folder of the real weights inside the installed `magika` package."""
    (folder,) = (Path(magika.__file__).parent / "models").iterdir()
    return folder


def labelled_files() -> list[tuple[Path, str]]:
    """Return files of this Python installation with the kind that their ending tells."""
    roots = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("include"))]
    found: list[tuple[Path, str]] = []
    for ending, kind in _KINDS.items():
        files = sorted(file for root in roots for file in root.rglob(f"*{ending}"))
        found += [(file, kind) for file in files if file.stat().st_size > _MIN_BYTES][:_EACH]
    return found


def dataset_digest(files: list[tuple[Path, str]]) -> str:
    """Return one digest over the digests and labels of all files."""
    lines = [f"{sha256(file.read_bytes()).hexdigest()} {kind}\n" for file, kind in files]
    return f"sha256:{sha256(''.join(lines).encode()).hexdigest()}"


def measure(model: Path, files: list[tuple[Path, str]]) -> dict[str, float]:
    """Return accuracy and median milliseconds a file of the model in a folder."""
    classifier, hits, times = Magika(model_dir=model), 0, list[float]()
    for file, kind in files:
        start = time.perf_counter()
        label = str(classifier.identify_path(file).output.label)
        times.append((time.perf_counter() - start) * 1000)
        hits += label == kind
    return {
        "accuracy": round(hits / len(files), 4),
        "median_ms": round(statistics.median(times), 3),
        "files": len(files),
    }


def optimise(source: Path, target: Path) -> None:
    """Write the model of `source` into `target` with its graph optimised by onnxruntime."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.name != "model.onnx":
            (target / file.name).write_bytes(file.read_bytes())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target / "model.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(source / "model.onnx"), options)
