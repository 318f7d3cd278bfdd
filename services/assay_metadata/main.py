"""The metadata service: `assay-metadata serve | prepare | rebuild | check`."""

from functools import partial

from assay_metadata.projection.rows import METADATA
from assay_metadata.reactions import reactions
from assay_metadata.service.default_namespace import ensure_soon
from assay_metadata.service.metadata import MetadataService
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Binding


def wire(runtime: Runtime) -> Wired:
    """Return the wired service."""
    commands, peers = runtime.commands, runtime.peers
    service = MetadataService(commands, runtime.reads, peers, runtime.rights)
    return Wired(
        bindings=(Binding("assay.metadata.v1.MetadataService", service),),
        reactions=tuple(reactions(commands, peers)),
        first=(partial(ensure_soon, commands, runtime.position),),
    )


SERVICE = Service("metadata", METADATA, wire)


def main() -> None:
    """Do what the command line asks."""
    run(SERVICE)


if __name__ == "__main__":
    main()
