"""The validation step refuses what the protos forbid, by field, and nothing else."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from assay.approval.v1 import approval_service_pb2 as approval_api
from assay.artifact.v1 import artifact_service_pb2 as artifact_api
from assay.artifact.v1 import resources_pb2 as artifact_resources
from assay.audit.v1 import audit_service_pb2 as audit_api
from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1 import metadata_service_pb2 as api
from assay.metadata.v1 import resources_pb2 as resources
from assay.type.v1 import metric_pb2, options_pb2
from assay_events.decider import Invalid
from assay_serve.annotations import UnknownAnnotation
from assay_serve.validation import Validator

UUID = "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d"


def check(request: Message) -> None:
    descriptor = request.DESCRIPTOR
    assert isinstance(descriptor, Descriptor)
    Validator().compile(descriptor)(request)


def refused(request: Message) -> tuple[Reason.ValueType, str]:
    with pytest.raises(Invalid) as caught:
        check(request)
    assert str(caught.value).endswith(".")
    return caught.value.reason, caught.value.field


def registered() -> api.RegisterModelVersionRequest:
    version = resources.ModelVersion(
        manifest_digest="sha256:00",
        metrics=[metric_pb2.Metric(key="accuracy", value=0.9)],
        params={"depth": "6"},
    )
    return api.RegisterModelVersionRequest(
        parent="namespaces/default/models/churn",
        model_version=version,
        request_id=UUID,
    )


def test_a_whole_request_passes() -> None:
    check(registered())


def test_a_required_text_must_be_filled() -> None:
    request = registered()
    request.parent = ""
    assert refused(request) == (Reason.REASON_REQUIRED, "parent")


def test_a_required_message_must_be_there() -> None:
    request = registered()
    request.ClearField("model_version")
    assert refused(request) == (Reason.REASON_REQUIRED, "model_version")


def test_a_required_field_inside_is_named_by_its_path() -> None:
    request = approval_api.PublishPolicyRequest(parent="namespaces/default", policy_id="two")
    request.policy.etag = '"1"'
    assert refused(request) == (Reason.REASON_REQUIRED, "policy.spec")


def test_a_required_list_must_have_an_entry_and_each_entry_what_it_requires() -> None:
    request = artifact_api.BeginUploadRequest(parent="namespaces/default")
    assert refused(request) == (Reason.REASON_REQUIRED, "blobs")
    claim = artifact_resources.BlobClaim(digest="sha256:00")
    request.blobs.extend([claim, artifact_resources.BlobClaim()])
    assert refused(request) == (Reason.REASON_REQUIRED, "blobs[1].digest")


def test_a_required_number_must_not_be_zero() -> None:
    assert refused(audit_api.GetLogEntryRequest()) == (Reason.REASON_REQUIRED, "revision")
    check(audit_api.GetLogEntryRequest(revision=1))


def test_required_bytes_must_be_filled() -> None:
    request = approval_api.EnrolKeyRequest(parent="principals/a", record=b"r", signature=b"s")
    assert refused(request) == (Reason.REASON_REQUIRED, "public_key")


def test_an_update_needs_the_name_and_not_what_it_leaves_alone() -> None:
    request = api.UpdateModelVersionRequest(
        model_version=resources.ModelVersion(description="new"), request_id=UUID
    )
    assert refused(request) == (Reason.REASON_REQUIRED, "model_version.name")
    request.model_version.name = "namespaces/default/models/churn/versions/1"
    check(request)
    request.ClearField("model_version")
    assert refused(request) == (Reason.REASON_REQUIRED, "model_version")


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("a" * 1024, True),
        ("a" * 1025, False),
        ("ä" * 512, True),
        ("ä" * 513, False),
        ("😀" * 256, True),
        ("😀" * 257, False),
    ],
)
def test_the_default_limit_of_a_text_is_1024_bytes(text: str, *, is_right: bool) -> None:
    request = registered()
    request.model_version.run = text
    if is_right:
        check(request)
    else:
        assert refused(request) == (Reason.REASON_TOO_LARGE, "model_version.run")


def test_a_name_may_be_as_long_as_the_longest_names() -> None:
    request = registered()
    request.parent = f"namespaces/{'n' * 63}/models/{'😀' * 250}"
    check(request)
    request.parent = "a" * 2049
    assert refused(request) == (Reason.REASON_TOO_LARGE, "parent")


def test_an_annotated_limit_replaces_the_default() -> None:
    request = registered()
    request.model_version.description = "a" * 16384
    check(request)
    request.model_version.description = "a" * 16385
    assert refused(request) == (Reason.REASON_TOO_LARGE, "model_version.description")


def test_bytes_have_limits_too() -> None:
    request = approval_api.EnrolKeyRequest(
        parent="principals/a", public_key=b"k", record=bytes(4097), signature=b"s"
    )
    assert refused(request) == (Reason.REASON_TOO_LARGE, "record")
    request.record = bytes(4096)
    check(request)
    request.public_key = bytes(1025)
    assert refused(request) == (Reason.REASON_TOO_LARGE, "public_key")


def test_a_list_may_have_1000_entries_unless_it_says_otherwise() -> None:
    request = registered()
    request.model_version.metrics.extend([metric_pb2.Metric(key="k", value=1)] * 999)
    check(request)
    request.model_version.metrics.add(key="k")
    assert refused(request) == (Reason.REASON_TOO_LARGE, "model_version.metrics")


def test_a_map_may_have_1000_entries() -> None:
    request = registered()
    for number in range(1001):
        request.model_version.tags[str(number)] = "v"
    assert refused(request) == (Reason.REASON_TOO_LARGE, "model_version.tags")


def test_keys_and_values_of_a_map_are_texts_with_limits() -> None:
    request = registered()
    request.model_version.params["k"] = "v" * 1025
    assert refused(request) == (Reason.REASON_TOO_LARGE, "model_version.params['k']")
    request = registered()
    request.model_version.params["k" * 1025] = "v"
    assert refused(request) == (Reason.REASON_TOO_LARGE, "model_version.params")
    request = registered()
    request.model_version.params[""] = "v"
    assert refused(request) == (Reason.REASON_REQUIRED, "model_version.params")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_must_be_finite(value: float) -> None:
    request = registered()
    request.model_version.metrics[0].value = value
    assert refused(request) == (Reason.REASON_NOT_FINITE, "model_version.metrics[0].value")


def test_a_text_holds_no_nul() -> None:
    request = registered()
    request.parent = "a\0b"
    assert refused(request) == (Reason.REASON_MALFORMED, "parent")
    request = registered()
    request.model_version.tags["k"] = "a\0"
    assert refused(request) == (Reason.REASON_MALFORMED, "model_version.tags['k']")


@pytest.mark.parametrize("request_id", ["1", "7d0f6a528f0c4d0e9d3b0e6f4a1c2b3d", f"{{{UUID}}}"])
def test_a_request_id_is_a_uuid(request_id: str) -> None:
    request = registered()
    request.request_id = request_id
    assert refused(request) == (Reason.REASON_MALFORMED, "request_id")


@pytest.mark.parametrize("request_id", ["", UUID, UUID.upper()])
def test_a_request_id_may_be_left_empty(request_id: str) -> None:
    request = registered()
    request.request_id = request_id
    check(request)


def test_a_page_size_is_not_negative() -> None:
    request = api.ListModelsRequest(parent="namespaces/default", page_size=-1)
    assert refused(request) == (Reason.REASON_MALFORMED, "page_size")
    request.page_size = 5000
    check(request)


def test_a_long_page_token_passes() -> None:
    check(api.ListModelsRequest(parent="namespaces/default", page_token="a" * 8192))


def field(name: str, options: descriptor_pb2.FieldOptions) -> Descriptor:
    """Return a message with one text field of these options."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=f"made_{name}")
    message = file.message_type.add(name="Made")
    made = message.field.add(name="text", number=1)
    made.type = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    made.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    made.options.CopyFrom(options)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindMessageTypeByName(f"made_{name}.Made")


def test_a_server_does_not_start_on_an_annotation_that_it_cannot_keep() -> None:
    unknown = descriptor_pb2.FieldOptions()
    unknown.MergeFromString(b"\xc2\xf3\x18\x01a")  # an option of a number that nobody has
    with pytest.raises(UnknownAnnotation):
        Validator().compile(field("unknown", unknown))
    misplaced = descriptor_pb2.FieldOptions()
    misplaced.Extensions[options_pb2.max_items] = 3
    with pytest.raises(UnknownAnnotation):
        Validator().compile(field("misplaced", misplaced))
    redacted = descriptor_pb2.FieldOptions(debug_redact=True)
    with pytest.raises(UnknownAnnotation):
        Validator().compile(field("redacted", redacted))


def test_a_message_that_holds_itself_is_checked_all_the_way_down() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="tree.proto", package="tree", syntax="proto3")
    message = file.message_type.add(name="Tree")
    kind = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="text", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    inner = message.field.add(name="inner", number=2, type=kind.TYPE_MESSAGE)
    inner.label, inner.type_name = kind.LABEL_OPTIONAL, ".tree.Tree"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    tree = message_factory.GetMessageClass(pool.FindMessageTypeByName("tree.Tree"))()
    tree.inner.inner.inner.text = "a" * 2000  # type: ignore[attr-defined]
    assert refused(tree) == (Reason.REASON_TOO_LARGE, "inner.inner.inner.text")


def test_every_method_of_assay_can_be_checked() -> None:
    pool = descriptor_pool.Default()
    services = [
        api.DESCRIPTOR.services_by_name["MetadataService"],
        artifact_api.DESCRIPTOR.services_by_name["ArtifactService"],
        approval_api.DESCRIPTOR.services_by_name["ApprovalService"],
        audit_api.DESCRIPTOR.services_by_name["AuditService"],
    ]
    for service in services:
        assert pool.FindServiceByName(service.full_name) is not None
        for method in service.methods:
            Validator().compile(method.input_type)
