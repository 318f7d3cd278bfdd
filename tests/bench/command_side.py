"""The metadata service's command side alone: no read model, no reactions."""

from assay_metadata import main
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired


def _wire(runtime: Runtime) -> Wired:
    return Wired(bindings=main.wire(runtime).bindings)


if __name__ == "__main__":
    run(Service("metadata", None, _wire))
