"""Resource names: parsed once at the edge, then trusted.

One class a kind, each with `parse` and `str`.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Self

from assay_trust import digests

_MAX_MODEL_CHARACTERS = 250
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_DIGEST_ID = re.compile(r"sha256-[0-9a-f]{64}\Z")
_KEY_ID = re.compile(r"[0-9a-f]{16,64}\Z")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}\Z")
_LABEL_FORBIDDEN = frozenset("@/:")
_MAX_LABEL_CHARACTERS = 63
# Letters and marks that nobody sees: fillers, a joiner, a Braille pattern without dots.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


class MalformedName(ValueError):
    """The text is not a resource name of the wanted kind.

    The message says what form it must have.
    """


def slug(text: str) -> str:
    """Return `text` if it may be the id of a namespace or policy: lower-case, digits, hyphens."""
    if not _SLUG.match(text):
        raise MalformedName(
            f"The id {_shown(text)} must be 1 to 63 lower-case letters, digits and hyphens."
        )
    return text


def model_id(text: str) -> str:
    """Return `text` in NFC if it may be the name of a model, by MLflow's rules."""
    normal = unicodedata.normalize("NFC", _clean(text, "model name"))
    if not normal.strip() or normal in {".", ".."}:
        raise MalformedName("The model name must not be blank, . or ...")
    if "/" in normal or ":" in normal:
        raise MalformedName(f"The model name {_shown(normal)} must not contain / or :.")
    if len(normal) > _MAX_MODEL_CHARACTERS:
        raise MalformedName(f"The model name must have at most {_MAX_MODEL_CHARACTERS} characters.")
    return normal


def label(text: str) -> str:
    """Return `text` in NFC if it may be the id of an alias or stage."""
    normal = unicodedata.normalize("NFC", _clean(text, "alias or stage"))
    if not normal.strip() or normal != normal.strip() or _LABEL_FORBIDDEN & set(normal):
        raise MalformedName(
            f"The alias or stage {_shown(normal)} must not be blank, contain @, / or "
            ":, or begin or end with a space."
        )
    if len(normal) > _MAX_LABEL_CHARACTERS:
        raise MalformedName(
            f"The alias or stage must have at most {_MAX_LABEL_CHARACTERS} characters."
        )
    return normal


@dataclass(frozen=True, slots=True, order=True)
class NamespaceName:
    """`namespaces/{namespace}`."""

    namespace: str
    form: ClassVar[str] = "namespaces/NAMESPACE"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        (namespace,) = _parts(text, ("namespaces",), cls.form)
        return cls(slug(namespace))

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}"


@dataclass(frozen=True, slots=True, order=True)
class ModelName:
    """`namespaces/{namespace}/models/{model}`."""

    namespace: str
    model: str
    form: ClassVar[str] = "namespaces/NAMESPACE/models/MODEL"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, model = _parts(text, ("namespaces", "models"), cls.form)
        return cls(slug(namespace), model_id(model))

    @property
    def parent(self) -> NamespaceName:
        """The namespace of the model."""
        return NamespaceName(self.namespace)

    def version(self, number: int) -> "VersionName":
        """Return the name of one of its versions."""
        return VersionName(self.namespace, self.model, number)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}/models/{self.model}"


@dataclass(frozen=True, slots=True, order=True)
class VersionName:
    """`namespaces/{namespace}/models/{model}/versions/{number}`."""

    namespace: str
    model: str
    number: int
    form: ClassVar[str] = "namespaces/NAMESPACE/models/MODEL/versions/NUMBER"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, model, number = _parts(text, ("namespaces", "models", "versions"), cls.form)
        if not _NUMBER.match(number):
            raise MalformedName(f"The version number {_shown(number)} must be 1, 2, 3 or more.")
        return cls(slug(namespace), model_id(model), int(number))

    @property
    def parent(self) -> ModelName:
        """The model of the version."""
        return ModelName(self.namespace, self.model)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"{self.parent}/versions/{self.number}"


@dataclass(frozen=True, slots=True, order=True)
class AliasName:
    """`namespaces/{namespace}/models/{model}/aliases/{alias}`."""

    namespace: str
    model: str
    alias: str
    form: ClassVar[str] = "namespaces/NAMESPACE/models/MODEL/aliases/ALIAS"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, model, alias = _parts(text, ("namespaces", "models", "aliases"), cls.form)
        return cls(slug(namespace), model_id(model), label(alias))

    @property
    def parent(self) -> ModelName:
        """The model of the alias."""
        return ModelName(self.namespace, self.model)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"{self.parent}/aliases/{self.alias}"


@dataclass(frozen=True, slots=True, order=True)
class StageName:
    """`namespaces/{namespace}/models/{model}/stages/{stage}`."""

    namespace: str
    model: str
    stage: str
    form: ClassVar[str] = "namespaces/NAMESPACE/models/MODEL/stages/STAGE"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, model, stage = _parts(text, ("namespaces", "models", "stages"), cls.form)
        return cls(slug(namespace), model_id(model), label(stage))

    @property
    def parent(self) -> ModelName:
        """The model of the stage."""
        return ModelName(self.namespace, self.model)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"{self.parent}/stages/{self.stage}"


@dataclass(frozen=True, slots=True, order=True)
class ArtifactName:
    """`namespaces/{namespace}/artifacts/sha256-{hex}`."""

    namespace: str
    artifact: str
    form: ClassVar[str] = "namespaces/NAMESPACE/artifacts/sha256-HEX"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, artifact = _parts(text, ("namespaces", "artifacts"), cls.form)
        return cls(slug(namespace), _matching(artifact, _DIGEST_ID, cls.form))

    @classmethod
    def of(cls, namespace: NamespaceName, digest: str) -> Self:
        """Return the name of the bytes with this digest, `sha256:HEX`, in a namespace."""
        return cls(namespace.namespace, f"sha256-{digests.parse(digest).hex()}")

    @property
    def parent(self) -> NamespaceName:
        """The namespace of the artifact."""
        return NamespaceName(self.namespace)

    @property
    def digest(self) -> str:
        """The digest of its bytes, as `sha256:HEX`."""
        return self.artifact.replace("-", ":", 1)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}/artifacts/{self.artifact}"


@dataclass(frozen=True, slots=True, order=True)
class DatasetName:
    """`namespaces/{namespace}/datasets/sha256-{hex}`."""

    namespace: str
    dataset: str
    form: ClassVar[str] = "namespaces/NAMESPACE/datasets/sha256-HEX"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, dataset = _parts(text, ("namespaces", "datasets"), cls.form)
        return cls(slug(namespace), _matching(dataset, _DIGEST_ID, cls.form))

    @classmethod
    def of(cls, namespace: NamespaceName, digest: str) -> Self:
        """Return the name of the dataset with this digest, `sha256:HEX`, in a namespace."""
        return cls(namespace.namespace, f"sha256-{digests.parse(digest).hex()}")

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}/datasets/{self.dataset}"


@dataclass(frozen=True, slots=True, order=True)
class RunName:
    """`namespaces/{namespace}/runs/{uuid}`."""

    namespace: str
    run: str
    form: ClassVar[str] = "namespaces/NAMESPACE/runs/UUID"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, run = _parts(text, ("namespaces", "runs"), cls.form)
        return cls(slug(namespace), _matching(run, _UUID, cls.form))

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}/runs/{self.run}"


@dataclass(frozen=True, slots=True, order=True)
class PolicyName:
    """`namespaces/{namespace}/policies/{policy}`."""

    namespace: str
    policy: str
    form: ClassVar[str] = "namespaces/NAMESPACE/policies/POLICY"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, policy = _parts(text, ("namespaces", "policies"), cls.form)
        return cls(slug(namespace), slug(policy))

    @property
    def parent(self) -> NamespaceName:
        """The namespace of the policy."""
        return NamespaceName(self.namespace)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}/policies/{self.policy}"


@dataclass(frozen=True, slots=True, order=True)
class ApprovalName:
    """`namespaces/{namespace}/approvals/{uuid}`."""

    namespace: str
    approval: str
    form: ClassVar[str] = "namespaces/NAMESPACE/approvals/UUID"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        namespace, approval = _parts(text, ("namespaces", "approvals"), cls.form)
        return cls(slug(namespace), _matching(approval, _UUID, cls.form))

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"namespaces/{self.namespace}/approvals/{self.approval}"


@dataclass(frozen=True, slots=True, order=True)
class PrincipalName:
    """`principals/{uuid}`."""

    principal: str
    form: ClassVar[str] = "principals/UUID"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        (principal,) = _parts(text, ("principals",), cls.form)
        return cls(_matching(principal, _UUID, cls.form))

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"principals/{self.principal}"


@dataclass(frozen=True, slots=True, order=True)
class KeyName:
    """`principals/{uuid}/keys/{key}`."""

    principal: str
    key: str
    form: ClassVar[str] = "principals/UUID/keys/HEX"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the name that `text` spells."""
        principal, key = _parts(text, ("principals", "keys"), cls.form)
        return cls(_matching(principal, _UUID, cls.form), _matching(key, _KEY_ID, cls.form))

    @property
    def parent(self) -> PrincipalName:
        """The principal whose key it is."""
        return PrincipalName(self.principal)

    def __str__(self) -> str:
        """Return the whole resource name."""
        return f"principals/{self.principal}/keys/{self.key}"


def target(text: str) -> AliasName | StageName:
    """Return the alias or stage that `text` names."""
    collection = text.split("/")[-2:-1]  # a model may be called "aliases" too
    if collection == ["aliases"]:
        return AliasName.parse(text)
    if collection == ["stages"]:
        return StageName.parse(text)
    raise MalformedName(f"The name {_shown(text)} must be {StageName.form} or {AliasName.form}.")


def _parts(text: str, collections: tuple[str, ...], form: str) -> tuple[str, ...]:
    """Return the ids between the collection words of a resource name."""
    pieces = text.split("/")
    if len(pieces) != 2 * len(collections) or tuple(pieces[0::2]) != collections:
        raise MalformedName(f"The name {_shown(text)} must have the form {form}.")
    return tuple(pieces[1::2])


def _matching(text: str, pattern: re.Pattern[str], form: str) -> str:
    if not pattern.match(text):
        raise MalformedName(f"The id {_shown(text)} does not fit the form {form}.")
    return text


def _clean(text: str, what: str) -> str:
    """Return `text` if each of its characters can be shown and stored."""
    categories = {unicodedata.category(character) for character in text}
    if categories & {"Cc", "Cs", "Zl", "Zp"}:
        raise MalformedName(f"The {what} must not contain control characters.")
    # Cf joins, hides and turns around what is written: two names would look the same.
    if "Cf" in categories or _INVISIBLE & set(text):
        raise MalformedName(f"The {what} must not contain invisible characters.")
    return text


def _shown(text: str) -> str:
    """Return `text` quoted and short, for a message."""
    return repr(text if len(text) <= 64 else f"{text[:61]}...")  # noqa: PLR2004 - a readable line
