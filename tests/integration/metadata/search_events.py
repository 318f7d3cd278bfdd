"""A small random registry as events: few words and values, so that searches meet them."""

import random
from collections.abc import Iterator, Sequence

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from assay.metadata.v1.events_pb2 import (
    AliasSet,
    AliasUnset,
    ModelArchived,
    ModelCreated,
    ModelFields,
    ModelRenamed,
    ModelUpdated,
    ModelVersionArchived,
    ModelVersionRegistered,
    ModelVersionRestored,
    ModelVersionSealed,
    ModelVersionUpdated,
    NamespaceCreated,
    StageSet,
    StageUnset,
)
from assay.metadata.v1.resources_pb2 import Format, Imported, ModelCard
from assay.type.v1.metric_pb2 import Metric

SPACE, OTHER_SPACE = "namespaces/laws", "namespaces/lawless"
MODELS = ["a", "a_b", "credit-risk", "größer 😀"]
KEYS = ["k", "a b", "x.y"]
WORDS = ["alpha", "beta", "Gamma"]
TEXTS = ["", "a", "A", "ab", "b_c", "a%", "it's \\", '"ä"', "Größe 😀", "a b", *WORDS]
LABELS = ["champion", "best", "b%t"]
OWNERS = ["teams/risk", "teams/ops", "größer"]
TIERS = ["", "high", "low"]
FORMATS = ["", "onnx", "sklearn"]
SEMANTIC = ["", "1.0.0", "2.0.0-rc.1"]
NUMBERS = [-1.5, -0.0, 0.0, 0.5, 0.75, 1e300]
SOURCES = ["", "mlflow:http://127.0.0.1:5000"]
RUNS = ["", f"{SPACE}/runs/r", f"{SPACE}/runs/r2"]
DIGESTS = [f"sha256:{digit * 64}" for digit in "ab"]


class Script:
    """Draws one event after the other; each fits what was drawn before."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.versions: dict[str, int] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._drafts: set[str] = set()
        self._archived: set[str] = set()
        self._holders: dict[str, str] = {}

    def opening(self) -> Iterator[Message]:
        """Yield namespaces and models, one of them in a namespace of its own."""
        for space in (SPACE, OTHER_SPACE):
            yield NamespaceCreated(name=space)
        for model in (*(f"{SPACE}/models/{name}" for name in MODELS), f"{OTHER_SPACE}/models/a"):
            yield self._model(model)

    def next(self) -> Message:
        """Return another event."""
        draw = self._draw
        model = draw.choice(list(self.versions))
        number = self.versions[model]
        if number == 0 or draw.random() < 0.45:
            return self._registered(model)
        version = f"{model}/versions/{draw.randint(1, number)}"
        return draw.choice([self._changed, self._moved, self._moved, self._stated])(version)

    def _model(self, name: str) -> Message:
        self.versions[name] = 0
        tags = self._tags[name] = self._entries()
        return ModelCreated(
            name=name,
            description=self._text(),
            tags=tags,
            owners=self._some(OWNERS),
            intended_use=self._text(),
            tier=self._draw.choice(TIERS),
        )

    def _registered(self, model: str) -> Message:
        number = self.versions[model] = self.versions[model] + 1
        name, draw = f"{model}/versions/{number}", self._draw
        tags = self._tags[name] = self._entries()
        is_draft = draw.random() < 0.1
        if is_draft:
            self._drafts.add(name)
        parents = [f"{model}/versions/{draw.randint(1, number - 1)}"] if number > 1 else []
        return ModelVersionRegistered(
            name=name,
            number=number,
            manifest_digest="" if is_draft else draw.choice(DIGESTS),
            is_draft=is_draft,
            description=self._text(),
            tags=tags,
            params=self._entries(),
            metrics=self._metrics(),
            run=draw.choice(RUNS),
            card=self._card(),
            format=Format(name=draw.choice(FORMATS)),
            parent_versions=parents,
            semantic_version=draw.choice(SEMANTIC),
            imported=Imported(source=draw.choice(SOURCES)),
        )

    def _changed(self, version: str) -> Message:
        name = self._draw.choice([version, version, version.rpartition("/versions/")[0]])
        before = ModelFields(tags=self._tags[name])
        fields = ModelFields(tags=self._entries(), description=self._text(), card=self._card())
        if name != version:
            if self._draw.random() < 0.3:
                return ModelRenamed(name=name, display_name=self._draw.choice(MODELS))
            fields = ModelFields(tags=fields.tags, tier=self._draw.choice(TIERS))
            fields.owners.extend(self._some(OWNERS))
        paths = ["tags", "tier", "owners"] if name != version else ["tags", "description", "card"]
        mask = FieldMask(paths=self._draw.sample(paths, self._draw.randint(1, len(paths))))
        if "tags" in mask.paths:
            self._tags[name] = dict(fields.tags)
        update = ModelVersionUpdated if name == version else ModelUpdated
        return update(name=name, update_mask=mask, fields=fields, previous_fields=before)

    def _moved(self, version: str) -> Message:
        kind, model = self._draw.choice(["aliases", "stages"]), version.rpartition("/versions/")[0]
        name = f"{model}/{kind}/{self._draw.choice(LABELS)}"
        before = self._holders.pop(name, "")
        if before and self._draw.random() < 0.3:
            unset = AliasUnset if kind == "aliases" else StageUnset
            return unset(name=name, previous_version=before)
        self._holders[name] = version
        set_ = AliasSet if kind == "aliases" else StageSet
        return set_(name=name, version=version, previous_version=before)

    def _stated(self, version: str) -> Message:
        if version in self._drafts:
            self._drafts.remove(version)
            return ModelVersionSealed(name=version, manifest_digest=DIGESTS[0])
        if self._draw.random() < 0.1:
            return ModelArchived(name=version.rpartition("/versions/")[0])
        if version in self._archived:
            self._archived.remove(version)
            return ModelVersionRestored(name=version)
        self._archived.add(version)
        return ModelVersionArchived(name=version)

    def _text(self) -> str:
        return " ".join(self._draw.choices(TEXTS, k=self._draw.randint(0, 3)))

    def _some(self, of: Sequence[str]) -> list[str]:
        return self._draw.sample(of, self._draw.randint(0, 2))

    def _entries(self) -> dict[str, str]:
        return {key: self._draw.choice(TEXTS) for key in self._draw.sample(KEYS, 2)}

    def _metrics(self) -> list[Metric]:
        keys = self._draw.choices(KEYS, k=self._draw.randint(0, 3))
        return [Metric(key=key, value=self._draw.choice(NUMBERS)) for key in keys]

    def _card(self) -> ModelCard:
        said = {part: self._text() for part in self._draw.sample(["purpose", "limits", "data"], 2)}
        return (
            ModelCard(schema="assay.card.v1", **said) if self._draw.random() < 0.6 else ModelCard()
        )
