"""Wires the approval service: `assay-approval serve | prepare | rebuild | check`."""

from assay_approval.ports import Peers
from assay_approval.projection import APPROVAL
from assay_approval.reactions import Watchman
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
        surroundings=Peers(runtime.peers),
        rights=runtime.rights,
        settings=runtime.settings,
    )
    watchman = Watchman(runtime.commands, runtime.reads)
    return Wired(
        bindings=(Binding("assay.approval.v1.ApprovalService", service),),
        reactions=watchman.reactions(),
        beside=(watchman.watch_clock,),
    )


SERVICE = Service(name="approval", projection=APPROVAL, wire=wire)


def main() -> None:
    """Run what the command line asks for."""
    run(SERVICE)


if __name__ == "__main__":
    main()
