"""Makes the bucket of a deployment: `python -m assay_serve.embedded.bucket`.

Reads ASSAY_S3_URL, ASSAY_S3_BUCKET, ASSAY_S3_ADMIN_ACCESS_KEY and ASSAY_S3_ADMIN_SECRET_KEY.
"""

import io
import os
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REGION = "us-east-1"
_PROBE = ".assay-can-write"


class NotMade(Exception):
    """The bucket could not be made or takes no objects; the message says why."""


@dataclass(frozen=True, slots=True)
class Admin:
    """Who may make buckets; the services may not."""

    access_key: str
    secret_key: str = field(repr=False)


def make(
    address: str, admin: Admin, bucket: str, *, secure: bool = False, seconds: float = 20.0
) -> None:
    """Make `bucket` unless it is there, and see that it takes an object; wait for the server."""
    # Imported here: reading the settings of a stack needs no S3 client.
    import urllib3  # noqa: PLC0415
    from minio import Minio  # noqa: PLC0415

    pool = urllib3.PoolManager(retries=False, timeout=5)
    client = Minio(
        address, admin.access_key, admin.secret_key,
        secure=secure, region=REGION, http_client=pool,
    )  # fmt: skip
    deadline = time.monotonic() + seconds
    while True:
        try:
            if not client.bucket_exists(bucket):
                client.make_bucket(bucket)
            client.put_object(bucket, _PROBE, io.BytesIO(b"?"), 1)
            client.remove_object(bucket, _PROBE)
            return
        except Exception as error:  # while it starts it answers in many ways
            if time.monotonic() > deadline:
                raise NotMade(f"The S3 server takes no objects: {error}.") from error
            time.sleep(0.05)


def main() -> int:
    """Make the bucket that the environment names; return the exit code."""
    url = urlsplit(os.environ["ASSAY_S3_URL"])
    admin = Admin(os.environ["ASSAY_S3_ADMIN_ACCESS_KEY"], os.environ["ASSAY_S3_ADMIN_SECRET_KEY"])
    try:
        make(url.netloc, admin, os.environ["ASSAY_S3_BUCKET"], secure=url.scheme == "https")
    except NotMade as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
