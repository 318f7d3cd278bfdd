"""Read your own writes: the newest consistency token seen goes along with every later read."""

import base64
import binascii
import threading

_PREFIX = b"assay1:"


class Freshness:
    """The newest consistency token that a client has seen; shared by threads.

    Example:
        >>> seen = Freshness()
        >>> seen.note("YXNzYXkxOjEw")  # revision 10
        >>> seen.note("YXNzYXkxOjk")  # revision 9, of a slower answer
        >>> seen.token
        'YXNzYXkxOjEw'
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token = ""

    @property
    def token(self) -> str:
        """The newest token, empty before the first answer."""
        return self._token

    def note(self, token: str) -> None:
        """Take `token` into account; a token of unknown form counts as newest."""
        if not token:
            return
        with self._lock:
            known, new = _revision(self._token), _revision(token)
            if new < 0 or new > known:
                self._token = token


def _revision(token: str) -> int:
    """Return the revision in `token`, -1 where it has another form."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return int(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else -1
    except (ValueError, binascii.Error):
        return -1
