"""Text of others made safe to print: nothing in it hides, moves or turns around what is shown."""

_MOST = 72
_BEYOND_ONE_UNIT = 0x10000


def visible(text: str) -> str:
    """Return `text` with each character that hides, moves or breaks text written as its number."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{{{ord(c):x}}}" for c in text)


def one_line(text: str) -> str:
    """Return `text` as `visible` does, with its ends of lines written as numbers too."""
    return visible(text).replace("\n", "\\u{a}")


def brief(text: str, most: int = _MOST) -> str:
    """Return the beginning of `text` on one line, with … where more follows."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def visible_json(text: str) -> str:
    """Return JSON that means the same, with each character that is not visible as an escape."""
    return "".join(c if c.isprintable() or c == "\n" else _escape(ord(c)) for c in text)


def _escape(point: int) -> str:
    """Return the escape of one code point in JSON: two UTF-16 units where one is too small."""
    if point < _BEYOND_ONE_UNIT:
        return f"\\u{point:04x}"
    high, low = divmod(point - _BEYOND_ONE_UNIT, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
