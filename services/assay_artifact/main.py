"""The artifact service: its parts, wired by hand."""

from assay_artifact.ports.presign import Credentials
from assay_artifact.ports.s3 import S3, Bucket
from assay_artifact.projection import ARTIFACT
from assay_artifact.service.artifact import ArtifactService
from assay_serve.run import run
from assay_serve.runtime import Runtime, Service, Wired
from assay_serve.server import Binding


def wire(runtime: Runtime) -> Wired:
    """Return the service over its stream, read model and object store."""
    objects = runtime.settings.objects
    credentials = Credentials(objects.access_key, objects.secret_key)
    blobs = S3(Bucket(objects.url.rstrip("/"), objects.bucket, credentials))
    service = ArtifactService(runtime.commands, runtime.reads, blobs)
    return Wired(bindings=(Binding("assay.artifact.v1.ArtifactService", service),))


SERVICE = Service(name="artifact", projection=ARTIFACT, wire=wire)


def main() -> None:
    """Run `serve`, `prepare`, `rebuild` or `check`, as the command line says."""
    run(SERVICE)


if __name__ == "__main__":
    main()
