"""`MLmodel` files, well-formed and hostile: what can't be read becomes a claim."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.mlflow import mlmodel
from assay.mlflow.mlmodel import MLmodel

WHOLE = """
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.7}
  sklearn: {sklearn_version: 1.9.1, pickled_model: model.pkl}
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "age", "required": true},
            {"type": "string", "name": "note", "required": false}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28]}}]'
  params: '[{"name": "k", "type": "long", "default": 3}]'
utc_time_created: 2026-01-01 10:00:00
"""


def read(folder: Path, content: str | bytes) -> MLmodel:
    """Return what a file with this content says."""
    path = folder / "MLmodel"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return mlmodel.read(path)


def test_format_and_signature_are_read(tmp_path: Path) -> None:
    told = read(tmp_path, WHOLE)
    assert (told.format.name, told.format.version) == ("sklearn", "1.9.1")
    assert json.loads(told.format.flavors["sklearn"])["pickled_model"] == "model.pkl"
    assert [(t.name, t.type, t.is_optional) for t in told.signature.inputs] == [
        ("age", "double", False),
        ("note", "string", True),
    ]
    (output,) = told.signature.outputs
    assert (output.type, list(output.shape)) == ("float32", [-1, 28])
    assert told.claims["mlmodel.mlflow_version"] == "3.17.2"
    assert json.loads(told.claims["mlmodel.signature.params"])[0]["default"] == 3


@pytest.mark.parametrize(
    "content",
    [
        "a: &a [x, x]\nb: *a\n",
        "- a list",
        "flavors: 3",
        "flavors: {a: 3}",
        "signature: [1]",
        "[" * 10_000,
        "{a: " * 10_000,
        "!!python/object/apply:os.system [id]",
        'mlflow_version: "\\0"',
        'mlflow_version: "\\uD800"',
        b"\xff\xfe\x00",
        "a: 2026-99-99",
        b"x" * (mlmodel.MAX_BYTES + 1),
    ],
    ids=range(13),
)
def test_a_hostile_file_becomes_a_claim(tmp_path: Path, content: str | bytes) -> None:
    told = read(tmp_path, content)
    assert told.claims["mlmodel"].startswith("not read: ")
    assert not told.format.name
    assert not told.signature.inputs


@pytest.mark.parametrize(
    "inputs",
    [
        '"not json"',
        "'{}'",
        "'[3]'",
        json.dumps(json.dumps([{"type": "tensor", "tensor-spec": {"shape": ["a"]}}])),
        json.dumps(json.dumps([{"type": "tensor", "tensor-spec": {"shape": [2**70]}}])),
        json.dumps(json.dumps([{"type": "x" * 2000}])),
        json.dumps(json.dumps([{"type": "long"}] * 1001)),
    ],
    ids=range(7),
)
def test_an_odd_signature_is_left_out_and_told(tmp_path: Path, inputs: str) -> None:
    told = read(
        tmp_path, f"flavors: {{onnx: {{onnx_version: 1.17}}}}\nsignature: {{inputs: {inputs}}}"
    )
    assert not told.signature.inputs
    assert told.claims["mlmodel.signature"].startswith("not read: ")
    assert told.format.name == "onnx"


def test_a_flavor_that_is_too_long_is_left_out_and_told(tmp_path: Path) -> None:
    told = read(tmp_path, f"flavors: {{big: {{a: {'x' * 9000}}}, onnx: {{data: m.onnx}}}}")
    assert list(told.format.flavors) == ["onnx"]
    assert told.claims["mlmodel.flavors.big"] == "left out: too long"


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_stop_an_import(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    read(tmp_path_factory.getbasetemp(), content)
