"""Model cards: which parts of one are filled, and how complete that makes it."""

from assay.metadata.v1.resources_pb2 import ModelCard

SCHEMA = "assay/card/v1"
PARTS = ("purpose", "limits", "data", "metrics", "ethics", "licence")


def filled(card: ModelCard) -> list[str]:
    """Return the names of the parts that say something, in the order of the form.

    Example:
        >>> filled(ModelCard(purpose="Who leaves?", licence="Apache-2.0"))
        ['purpose', 'licence']
    """
    return [part for part in PARTS if getattr(card, part)]


def missing(card: ModelCard) -> list[str]:
    """Return the names of the parts that are empty, in the order of the form.

    Example:
        >>> missing(ModelCard(purpose="Who leaves?", licence="Apache-2.0"))
        ['limits', 'data', 'metrics', 'ethics']
    """
    return [part for part in PARTS if not getattr(card, part)]


def completeness(card: ModelCard) -> float:
    """Return the share of parts that are filled, as the filter field `card_completeness` has it.

    Example:
        >>> completeness(ModelCard(purpose="Who leaves?", limits="Not for firms.", data="2025"))
        0.5
    """
    return len(filled(card)) / len(PARTS)
