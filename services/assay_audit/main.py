"""The audit service: its parts, wired by hand."""

from assay_audit.projection import AUDIT
from assay_audit.service.events import EventService
from assay_audit.service.log import AuditService
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Binding


def wire(runtime: Runtime) -> Wired:
    """Return the service over its tables, and Watch over the stream itself."""
    return Wired(
        bindings=(
            Binding("assay.audit.v1.AuditService", AuditService(runtime.reads, runtime.rights)),
            Binding("assay.event.v1.EventService", EventService(runtime.store)),
        )
    )


SERVICE = Service(name="audit", projection=AUDIT, wire=wire)


def main() -> None:
    """Run `serve`, `prepare`, `rebuild` or `check`, as the command line says."""
    run(SERVICE)


if __name__ == "__main__":
    main()
