"""The handler that compares two versions, file by file and field by field."""

import asyncio
from collections.abc import Iterator, Mapping

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.resources_pb2 import FieldChange, ModelVersion
from assay.names import ArtifactName, VersionName
from assay_metadata import ports
from assay_metadata.queries import versions
from assay_metadata.service.parts import Parts
from assay_serve.call import Context
from assay_serve.postgres import LATEST


class Comparing(Parts):
    """Two versions beside each other."""

    async def CompareModelVersions(
        self, request: api.CompareModelVersionsRequest, context: Context
    ) -> api.CompareModelVersionsResponse:
        """Compare two versions; what their files are is asked of the artifact service."""
        name = await self._resolved(VersionName.parse(request.name))
        other_name = await self._resolved(VersionName.parse(request.other_name))
        async with self._reads.at(request.at_least_as_fresh, LATEST, context) as snapshot:
            one = await versions.get(snapshot, name)
            other = await versions.get(snapshot, other_name)
            token = snapshot.token
        files, other_files = await asyncio.gather(
            self._files(name, one), self._files(other_name, other)
        )
        after, before = _fields(one) | files, _fields(other) | other_files
        return api.CompareModelVersionsResponse(
            differences=[
                FieldChange(
                    resource=str(name),
                    field=field,
                    previous_value=before.get(field, ""),
                    value=after.get(field, ""),
                )
                for field in sorted(after.keys() | before.keys())
                if before.get(field, "") != after.get(field, "")
            ],
            same_files=bool(one.manifest_digest) and one.manifest_digest == other.manifest_digest,
            consistency_token=token,
        )

    async def _files(self, name: VersionName, version: ModelVersion) -> dict[str, str]:
        """Return the digest of each file that Assay keeps of a version."""
        if not version.manifest_digest or version.external_uri:
            return {}
        artifact = ArtifactName.of(name.parent.parent, version.manifest_digest)
        files = (await ports.manifest_with_files(self._peers, artifact)).files
        return {f"files.{file.path}": file.digest for file in files}


def _fields(version: ModelVersion) -> dict[str, str]:
    """Return the values of a version that are worth comparing, by field."""
    return {field: value for field, value in _values(version) if value}


def _values(version: ModelVersion) -> Iterator[tuple[str, str]]:
    for metric in version.metrics:
        dataset = f"[{metric.dataset}]" if metric.dataset else ""
        yield f"metrics.{metric.key}{dataset}", f"{metric.value!r} {metric.unit}".rstrip()
    yield from _entries("params", version.params)
    yield from _entries("tags", version.tags)
    yield from ((f"card.{part.name}", text) for part, text in version.card.ListFields())
    yield "description", version.description
    yield "run", version.run
    yield "parent_versions", ", ".join(version.parent_versions)
    yield "semantic_version", version.semantic_version
    yield "external_uri", version.external_uri
    yield "manifest_digest", version.manifest_digest
    yield "format", _json(version.format)
    yield "signature", _json(version.signature)


def _entries(field: str, entries: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((f"{field}.{key}", entries[key]) for key in entries)


def _json(message: Message) -> str:
    return MessageToJson(message, indent=None, sort_keys=True) if message.ListFields() else ""
