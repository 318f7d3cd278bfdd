"""A namespace is created once."""

from assay.error.v1.error_reason_pb2 import Reason
from assay.metadata.v1.events_pb2 import NamespaceCreated
from assay_events.spec import Spec
from assay_metadata.domain.namespace import NAMESPACE, CreateNamespace

namespace = Spec(NAMESPACE)
risk = NamespaceCreated(name="namespaces/risk", description="Risk")


def test_a_namespace_is_created() -> None:
    namespace.given().when(CreateNamespace("namespaces/risk", "Risk")).then(risk)


def test_a_namespace_is_created_only_once() -> None:
    namespace.given(risk).when(CreateNamespace("namespaces/risk")).then_rejected(
        Reason.REASON_ALREADY_EXISTS
    )
