"""Whatever the protos promise is there in code; a failure names the file to edit."""

import importlib
import inspect
import re
import typing

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from assay.error.v1 import error_reason_pb2
from assay_events.decider import Decider
from tests.architecture.house import (
    CONTEXTS,
    ROOT,
    event_names,
    generated,
    python_files,
    room,
    room_text,
)

# Messages of an events.proto that no rule decides, each with its reason.
NOT_DECIDED = {
    "assay.metadata.v1.ModelFields": "a value inside ModelUpdated",
    "assay.audit.v1.LogFounded": "written once by set-up; assay_audit has no rules",
}
# Events that no row of their own service comes from, each with its reason.
NOT_PROJECTED = {
    "assay.metadata.v1.ModelFields": "a value inside ModelUpdated",
    "assay.audit.v1.LogFounded": "the audit log records every event, whatever its type",
}
REASONS_NEVER_RAISED = {"REASON_UNSPECIFIED": "the zero that proto3 asks for; never sent"}


def decided_events(context: str) -> list[str]:
    """Return the full names of the events of every `Decider` in a context's rules."""
    deciders = {
        name: typing.get_args(hint)
        for module in room(context, "domain")
        for name, hint in typing.get_type_hints(module).items()
        if typing.get_origin(hint) is Decider
    }
    members = [
        member for *_, event in deciders.values() for member in typing.get_args(event) or (event,)
    ]
    return [member.DESCRIPTOR.full_name for member in members]


def services(context: str) -> list[ServiceDescriptor]:
    """Return the services that a context's protos declare."""
    file = generated(f"assay.{context}.v1.{context}_service_pb2")
    return list(file.services_by_name.values())


@pytest.mark.parametrize("context", [name for name in CONTEXTS if name != "audit"])
def test_each_event_is_in_exactly_one_union(context: str) -> None:
    decided = decided_events(context)
    wanted = [name for name in event_names(context) if name not in NOT_DECIDED]
    lost = sorted(set(wanted) - set(decided))
    assert not lost, f"Add {lost} to the events of a Decider in services/assay_{context}/domain/."
    twice = sorted({name for name in decided if decided.count(name) > 1})
    assert not twice, f"{twice} come from two Deciders of assay_{context}; keep one."


@pytest.mark.parametrize("context", CONTEXTS)
def test_each_event_has_a_projection_case(context: str) -> None:
    text = room_text(context, "projection")
    wanted = [name for name in event_names(context) if name not in NOT_PROJECTED]
    lost = [name for name in wanted if not re.search(rf"\b{name.rsplit('.', 1)[1]}\b", text)]
    assert not lost, f"Add a case for {lost} to services/assay_{context}/projection."


@pytest.mark.parametrize("context", CONTEXTS)
def test_each_rpc_is_implemented(context: str) -> None:
    classes = [
        found
        for module in room(context, "service")
        for _, found in inspect.getmembers(module, inspect.isclass)
    ]
    for service in services(context):
        base = getattr(
            importlib.import_module(f"assay.{context}.v1.{context}_service_pb2_grpc"),
            f"{service.name}Servicer",
        )
        own = [found for found in classes if issubclass(found, base) and found is not base]
        for method in service.methods_by_name:
            done = any(getattr(found, method) is not getattr(base, method) for found in own)
            assert done, f"Implement {method} in services/assay_{context}/service."


def test_each_reason_is_raised_somewhere() -> None:
    text = "\n".join(path.read_text() for path in python_files())
    names = set(error_reason_pb2.Reason.keys()) - set(REASONS_NEVER_RAISED)
    unused = [name for name in names if not re.search(rf"\b({name}|{name[7:]})\b", text)]
    assert not unused, f"Raise {sorted(unused)}, or take them out of error_reason.proto."


def test_each_reason_has_an_example() -> None:
    text = (ROOT / "protos/assay/error/v1/error_reason.proto").read_text()
    for comment, name in re.findall(r"((?:^ *//.*\n)+) *(REASON_\w+) =", text, re.MULTILINE):
        if name not in REASONS_NEVER_RAISED:
            assert "Example:" in comment, f"Give {name} an example in error_reason.proto."


def test_every_exception_is_still_one() -> None:
    known = {name for context in CONTEXTS for name in event_names(context)}
    assert set(NOT_DECIDED) | set(NOT_PROJECTED) <= known
