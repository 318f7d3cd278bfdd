"""Signatures, against the examples that AWS publishes for Signature Version 4 in S3."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from assay_artifact.ports import presign
from assay_artifact.ports.presign import Credentials, Unsigned

AWS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
AT = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "examplebucket.s3.amazonaws.com"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_published_presigned_get() -> None:
    request = Unsigned("GET", f"https://{HOST}/test.txt")
    signed = presign.presign(AWS, request, AT, 86400)
    assert signed == (
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {},
            {"range": "bytes=0-9"},
            NOTHING,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            {},
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/",
            {"lifecycle": ""},
            {},
            NOTHING,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/",
            {"max-keys": "2", "prefix": "J"},
            {},
            NOTHING,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_published_signatures_over_headers_and_queries(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload: str,
    signature: str,
) -> None:
    signed = {
        **headers,
        "host": HOST,
        "x-amz-content-sha256": payload,
        "x-amz-date": "20130524T000000Z",
    }
    canonical = presign._canonical(method, path, presign._query(query), signed, payload)
    assert presign._signature(AWS, AT, canonical) == signature


def test_the_headers_that_must_be_sent_are_named_in_the_url() -> None:
    headers = {"content-length": "5", "x-amz-checksum-sha256": "LPJNul+wow4m6Ds="}
    signed = presign.presign(AWS, Unsigned("PUT", "http://s3:1/b/k", {}, headers), AT, 900)
    query = parse_qs(urlsplit(signed).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;host;x-amz-checksum-sha256"]
    other = presign.presign(
        AWS, Unsigned("PUT", "http://s3:1/b/k", {}, {**headers, "content-length": "6"}), AT, 900
    )
    assert query["X-Amz-Signature"] != parse_qs(urlsplit(other).query)["X-Amz-Signature"]


def test_the_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(AWS)
