"""Wires the approval service: `assay-approval serve | prepare | rebuild | check`."""

from assay_approval.ports import MetadataVersions
from assay_approval.projection import APPROVAL
from assay_approval.service.approval import ApprovalService
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Binding


def wire(runtime: Runtime) -> Wired:
    """Return the service with its parts put together."""
    service = ApprovalService(
        commands=runtime.commands,
        store=runtime.store,
        reads=runtime.reads,
        versions=MetadataVersions(runtime.peers),
        settings=runtime.settings,
    )
    return Wired(bindings=(Binding("assay.approval.v1.ApprovalService", service),))


SERVICE = Service(name="approval", projection=APPROVAL, wire=wire)


def main() -> None:
    """Run what the command line asks for."""
    run(SERVICE)


if __name__ == "__main__":
    main()
