"""The few XML documents of S3 that an upload by parts needs."""

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from assay_artifact.ports import checksums
from assay_artifact.ports.blob_store import Part, StoreFault


def error_code(body: bytes) -> str:
    """Return the code of an error document, empty where `body` is none."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - from our own store, and expat limits expansion
    except ET.ParseError:
        return ""
    return _text(root, "Code") if _local(root) == "Error" else ""


def upload_id(body: bytes) -> str:
    """Return the id of an upload that was just opened."""
    found = _text(_parse(body), "UploadId")
    if not found:
        raise StoreFault("The object store opened an upload without an id.")
    return found


def parts(body: bytes) -> tuple[dict[int, Part], str]:
    """Return one page of parts by number, and the marker of the next, empty on the last."""
    root = _parse(body)
    found = {int(_text(part, "PartNumber")): _part(part) for part in _all(root, "Part")}
    is_truncated = _text(root, "IsTruncated") == "true"
    marker = _text(root, "NextPartNumberMarker") if is_truncated and found else ""
    return found, marker


def completion(etags: Mapping[int, str], digests: Mapping[int, bytes]) -> bytes:
    """Return the list of parts that an object is to be made of."""
    root = ET.Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for number in sorted(digests):
        part = ET.SubElement(root, "Part")
        ET.SubElement(part, "PartNumber").text = str(number)
        ET.SubElement(part, "ETag").text = etags[number]
        ET.SubElement(part, "ChecksumSHA256").text = checksums.of_whole(digests[number])
    return ET.tostring(root)


def _part(part: ET.Element) -> Part:
    digest = checksums.parse_whole(_text(part, "ChecksumSHA256"))
    return Part(int(_text(part, "Size")), _text(part, "ETag"), digest)


def _parse(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314 - from our own store, and expat limits expansion
    except ET.ParseError as error:
        raise StoreFault("The object store answered with something that is not XML.") from error


def _all(root: ET.Element, name: str) -> list[ET.Element]:
    """Return the children with a local name: stores differ in the namespace they give."""
    return [child for child in root if _local(child) == name]


def _text(root: ET.Element, name: str) -> str:
    return next((child.text or "" for child in _all(root, name)), "")


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
