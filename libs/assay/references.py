"""How people name a version: NAME@ALIAS, NAME@STAGE, NAME/N, or its whole resource name."""

import re
from dataclasses import dataclass

from assay.errors import Invalid
from assay.names import AliasName, ModelName, NamespaceName, StageName, VersionName, label, model_id

_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A version told by an alias or a stage of its model."""

    model: ModelName
    label: str

    @property
    def alias(self) -> AliasName:
        """The label read as an alias."""
        return AliasName(self.model.namespace, self.model.model, self.label)

    @property
    def stage(self) -> StageName:
        """The label read as a stage."""
        return StageName(self.model.namespace, self.model.model, self.label)

    def __str__(self) -> str:
        """Return NAME@LABEL."""
        return f"{self.model.model}@{self.label}"


def parse(text: str, namespace: str = "default") -> VersionName | Labelled:
    """Return what `text` names; a name splits at the last `@`.

    Example:
        >>> str(parse("churn/3"))
        'namespaces/default/models/churn/versions/3'
        >>> str(parse("mail@home@champion").alias)
        'namespaces/default/models/mail@home/aliases/champion'
    """
    if text.startswith("namespaces/"):
        return VersionName.parse(text)
    if "/" in text:
        return version(text, namespace)
    name, at, chosen = text.rpartition("@")
    if not at:
        raise Invalid("Name a version as NAME/N or NAME@ALIAS.", metadata={"reference": text})
    return Labelled(model(name, namespace), label(chosen))


def version(text: str, namespace: str = "default") -> VersionName:
    """Return the version that NAME/N or a whole resource name spells."""
    if text.startswith("namespaces/"):
        return VersionName.parse(text)
    name, _, number = text.rpartition("/")
    if not name or not _NUMBER.fullmatch(number):
        raise Invalid("Name a version as NAME/N, with N from 1.", metadata={"reference": text})
    return model(name, namespace).version(int(number))


def model(name: str, namespace: str = "default") -> ModelName:
    """Return the model that a bare name or a whole resource name spells."""
    if name.startswith("namespaces/"):
        return ModelName.parse(name)
    parent = NamespaceName.parse(f"namespaces/{namespace}")
    return ModelName(parent.namespace, model_id(name))


def stage(of: ModelName, name: str) -> StageName:
    """Return a stage of a model."""
    return StageName(of.namespace, of.model, label(name))


def alias(of: ModelName, name: str) -> AliasName:
    """Return an alias of a model."""
    return AliasName(of.namespace, of.model, label(name))
