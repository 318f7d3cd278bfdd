"""Why something is not trusted; each message is one sentence that is safe to show."""


class TrustError(ValueError):
    """What was handed in can't be trusted as it is."""


class MalformedDigest(TrustError):
    """A digest is not written as `sha256:` and 64 lower-case hexadecimal digits."""


class NotCanonical(TrustError):
    """A value has no canonical form, or bytes are not in it."""


class MalformedRecord(TrustError):
    """A record lacks a field, has one too many, or a value of the wrong form."""


class InvalidSignature(TrustError):
    """A signature, or what a passkey answered, does not fit what was asked and the key."""


class MalformedEnvelope(TrustError):
    """Bytes are not a DSSE envelope in its one accepted form."""


class InvalidKey(TrustError):
    """A key is of the wrong kind or length, or so weak that anyone could sign for it."""


class UnusableKeyFile(TrustError):
    """A key file does not open: a wrong passphrase, damage, or a cost beyond reason."""


class WeakPassphrase(TrustError):
    """A passphrase is too short or too long to protect a key."""


class InvalidToken(TrustError):
    """A bearer token does not prove who calls."""
