"""Events and names that the tests of the metadata service share."""

from google.protobuf.field_mask_pb2 import FieldMask

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelNameClaimed,
    ModelRenamed,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    StageSet,
)

CHURN = "namespaces/default/models/churn"
ATTRITION = "namespaces/default/models/attrition"
CHAMPION = f"{CHURN}/aliases/champion"
PRODUCTION = f"{CHURN}/stages/production"
GRANT = "namespaces/default/approvals/5f2a0000-0000-4000-8000-000000000001"
OTHER_GRANT = "namespaces/default/approvals/5f2a0000-0000-4000-8000-000000000002"
DIGEST = "sha256:" + "9f" * 32

created = ModelCreated(name=CHURN, description="Who leaves", tags={"team": "risk"})
archived = ModelArchived(name=CHURN)
claimed = ModelNameClaimed(name=ATTRITION, model=CHURN)
renamed = ModelRenamed(name=CHURN, display_name="attrition", previous_display_name="churn")


def version(number: int) -> str:
    return f"{CHURN}/versions/{number}"


def registered(number: int, digest: str = DIGEST) -> ModelVersionRegistered:
    return ModelVersionRegistered(name=version(number), number=number, manifest_digest=digest)


def drafted(number: int) -> ModelVersionRegistered:
    return ModelVersionRegistered(name=version(number), number=number, is_draft=True)


def version_archived(number: int) -> ModelVersionArchived:
    return ModelVersionArchived(name=version(number))


def alias_set(number: int, previous: int = 0, approval: str = "") -> AliasSet:
    return AliasSet(
        name=CHAMPION,
        version=version(number),
        previous_version=version(previous) if previous else "",
        approval=approval,
    )


def stage_set(number: int, previous: int = 0, approval: str = "") -> StageSet:
    return StageSet(
        name=PRODUCTION,
        version=version(number),
        previous_version=version(previous) if previous else "",
        approval=approval,
    )


def described(text: str, before: str = "Who leaves") -> ModelUpdated:
    return ModelUpdated(
        name=CHURN,
        update_mask=FieldMask(paths=["description"]),
        fields=ModelFields(description=text),
        previous_fields=ModelFields(description=before),
    )
