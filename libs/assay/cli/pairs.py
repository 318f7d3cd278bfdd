"""KEY=VALUE as it is written on the command line."""

from collections.abc import Sequence

from assay.errors import Invalid


def texts(option: str, given: Sequence[str]) -> dict[str, str]:
    """Return the pairs of an option that may be given several times."""
    pairs: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise Invalid(f"Write --{option} as KEY=VALUE, not {text!r}.", reason="MALFORMED")
        if key in pairs:
            raise Invalid(f"Give --{option} {key} once.", reason="MALFORMED")
        pairs[key] = value
    return pairs


def numbers(option: str, given: Sequence[str]) -> dict[str, float]:
    """Return the pairs of an option whose values are numbers."""
    return {key: _number(option, key, value) for key, value in texts(option, given).items()}


def _number(option: str, key: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise Invalid(
            f"Write --{option} {key} as a number, not {value!r}.", reason="MALFORMED"
        ) from None
