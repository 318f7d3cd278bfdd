"""The XML of S3, as different stores write it."""

from hashlib import sha256

import pytest

from assay_artifact.ports import checksums, s3_xml
from assay_artifact.ports.blob_store import Part, StoreFault

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
DIGEST = sha256(b"1").digest()


def listed(more: str, *parts: str) -> bytes:
    return f"<ListPartsResult {NAMESPACE}>{more}{''.join(parts)}</ListPartsResult>".encode()


def part(number: int, extra: str = "") -> str:
    return (
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;e{number}&quot;</ETag>"
        f"<Size>5</Size>{extra}</Part>"
    )


def test_parts_are_read_with_and_without_digests() -> None:
    digest = f"<ChecksumSHA256>{checksums.of_whole(DIGEST)}</ChecksumSHA256>"
    found, marker = s3_xml.parts(listed("", part(1, digest), part(2)))
    assert found == {1: Part(5, '"e1"', DIGEST), 2: Part(5, '"e2"')}
    assert marker == ""


def test_a_long_list_goes_on_at_its_marker() -> None:
    more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>"
    assert s3_xml.parts(listed(more, part(1)))[1] == "1"
    assert s3_xml.parts(listed(more))[1] == ""  # a store that says so without parts ends it too


def test_the_id_of_an_upload_is_read_in_any_namespace() -> None:
    assert s3_xml.upload_id(b"<R><UploadId>u1</UploadId></R>") == "u1"
    assert s3_xml.upload_id(f"<R {NAMESPACE}><UploadId>u1</UploadId></R>".encode()) == "u1"


@pytest.mark.parametrize("body", [b"", b"not xml", b"<R/>", b"<R><UploadId/></R>"])
def test_an_upload_without_an_id_is_a_fault(body: bytes) -> None:
    with pytest.raises(StoreFault):
        s3_xml.upload_id(body)


def test_an_object_is_made_of_its_parts_in_order() -> None:
    body = s3_xml.completion({2: '"e2"', 1: '"e1"'}, {2: DIGEST, 1: DIGEST}).decode()
    assert body.index("<PartNumber>1<") < body.index("<PartNumber>2<")
    assert body.count(f"<ChecksumSHA256>{checksums.of_whole(DIGEST)}</ChecksumSHA256>") == 2


def test_an_error_has_a_code() -> None:
    assert s3_xml.error_code(b"<Error><Code>BadDigest</Code></Error>") == "BadDigest"
    assert s3_xml.error_code(b"<Result><Code>BadDigest</Code></Result>") == ""
    assert s3_xml.error_code(b"") == ""


def test_entities_do_not_grow() -> None:
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "lol">{lines}]><Error><Code>&a11;</Code></Error>'
    assert s3_xml.error_code(bomb.encode()) == ""
