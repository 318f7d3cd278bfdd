"""The `MLmodel` file: which flavors can load a model, what goes in and what comes out."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from assay.metadata.v1.resources_pb2 import Format, Signature, Tensor

NAME = "MLmodel"
MAX_BYTES = 1024 * 1024
_MAX_FLAVOR_BYTES = 8192
_MAX_TEXT_BYTES = 1024
_MAX_TENSORS = 1000
_MAX_DIMENSIONS = 16
_GENERIC = "python_function"


@dataclass(frozen=True, slots=True)
class MLmodel:
    """What an `MLmodel` file says; `claims` holds what has no field, or why it was not read."""

    format: Format = field(default_factory=Format)
    signature: Signature = field(default_factory=Signature)
    claims: Mapping[str, str] = field(default_factory=dict)


class _Odd(ValueError):
    """The file says something that no MLmodel says."""


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a few bytes of them stand for more than a memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias; compose anything else."""
        if self.check_event(yaml.AliasEvent):
            raise _Odd("it has a YAML alias")
        return super().compose_node(parent, index)


def read(path: Path) -> MLmodel:
    """Return what the file says; what can't be read becomes a claim, and never stops an import."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _Odd(f"it has more than {MAX_BYTES} bytes")
        data = _mapping(yaml.load(path.read_bytes(), _Loader), "it")  # noqa: S506 - a SafeLoader
        whole = _json(data)
        if "\\u0000" in whole:
            raise _Odd("it has a NUL")
        whole.encode()  # half a surrogate pair could not be stored
        return _parsed(data)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        return MLmodel(claims={"mlmodel": f"not read: {_why(error)}"})


def _parsed(data: Mapping[str, object]) -> MLmodel:
    flavors = {
        str(k): _mapping(v, "a flavor") for k, v in _mapping(data.get("flavors"), "flavors").items()
    }
    settings = {name: _json(flavor) for name, flavor in flavors.items()}
    kept = {
        name: text
        for name, text in settings.items()
        if len(text.encode()) <= _MAX_FLAVOR_BYTES and len(name.encode()) <= _MAX_TEXT_BYTES
    }
    claims = {
        f"mlmodel.{key}": str(data[key])
        for key in ("mlflow_version", "model_uuid")
        if data.get(key)
    }
    for name in settings.keys() - kept.keys():
        claims[f"mlmodel.flavors.{name}"[: _MAX_TEXT_BYTES // 4]] = "left out: too long"
    signature, more = _signature(_mapping(data.get("signature"), "signature"))
    return MLmodel(_format(kept, flavors), signature, {**claims, **more})


def _format(kept: Mapping[str, str], flavors: Mapping[str, Mapping[str, object]]) -> Format:
    """Return the format: its name is the first flavor that says more than `python_function`."""
    if not kept:
        return Format()
    name = next((name for name in sorted(kept) if name != _GENERIC), _GENERIC)
    version = flavors[name].get(f"{name}_version") or flavors[name].get("version") or ""
    return Format(name=name, version=str(version)[: _MAX_TEXT_BYTES // 4], flavors=kept)


def _signature(data: Mapping[str, object]) -> tuple[Signature, Mapping[str, str]]:
    """Return inputs and outputs, and as claims what has no field: parameters, and odd columns."""
    claims = {"mlmodel.signature.params": _text(data["params"])} if data.get("params") else {}
    try:
        inputs, outputs = (list(_tensors(data.get(side))) for side in ("inputs", "outputs"))
    except (ValueError, RecursionError) as error:
        odd = {f"mlmodel.signature.{side}": _text(data.get(side)) for side in ("inputs", "outputs")}
        return Signature(), {**claims, **odd, "mlmodel.signature": f"not read: {_why(error)}"}
    return Signature(inputs=inputs, outputs=outputs), claims


def _tensors(columns: object) -> Iterator[Tensor]:
    """Yield the columns or tensors of one side, which are a JSON text in the YAML."""
    listed: object = json.loads(columns) if isinstance(columns, str) else columns or []
    if not isinstance(listed, list) or len(listed) > _MAX_TENSORS:
        raise _Odd(f"a side is no list of at most {_MAX_TENSORS} columns")
    for number, column in enumerate(listed):
        yield _tensor(_mapping(column, "a column"), number)


def _tensor(column: Mapping[str, object], number: int) -> Tensor:
    spec = _mapping(column.get("tensor-spec"), "tensor-spec")
    kind, name = spec.get("dtype") or column.get("type"), column.get("name")
    type_text = kind if isinstance(kind, str) else _json(column)
    shape = spec.get("shape") or []
    if not isinstance(shape, list) or not all(_is_size(size) for size in shape):
        raise _Odd(f"column {number} has no list of sizes as its shape")
    texts = (str(name or ""), type_text)
    if len(shape) > _MAX_DIMENSIONS or any(len(text.encode()) > _MAX_TEXT_BYTES for text in texts):
        raise _Odd(f"column {number} is too long")
    is_optional = column.get("required") is False or column.get("optional") is True
    return Tensor(name=texts[0], type=texts[1], shape=shape, is_optional=is_optional)


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and abs(size) < 2**63


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _Odd) else f"{type(error).__name__} at reading it"


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Odd(f"{what} is no mapping")
    return value


def _json(value: object) -> str:
    """Return JSON of what YAML gave; dates and the like as they are written."""
    return json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)


def _text(value: object) -> str:
    return value if isinstance(value, str) else _json(value)
