"""The lineage service: its parts, wired by hand."""

from assay_lineage.ports import MetadataRegistry
from assay_lineage.projection import LINEAGE
from assay_lineage.service.lineage import LineageService
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Binding


def wire(runtime: Runtime) -> Wired:
    """Return the service over its stream and read model, with metadata as its neighbour."""
    registry = MetadataRegistry(runtime.peers, runtime.store)
    service = LineageService(runtime.commands, runtime.reads, registry)
    return Wired(bindings=(Binding("assay.lineage.v1.LineageService", service),))


SERVICE = Service(name="lineage", projection=LINEAGE, wire=wire)


def main() -> None:
    """Run `serve`, `prepare`, `rebuild` or `check`, as the command line says."""
    run(SERVICE)


if __name__ == "__main__":
    main()
