"""DSSE v1: what a signature covers, and the JSON envelope it travels in.

See https://github.com/secure-systems-lab/dsse: the signature covers the payload together with its
type, so that a record of one kind can't pass for another.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from assay_trust import keys
from assay_trust.errors import InvalidSignature, MalformedEnvelope

MAX_ENVELOPE_BYTES = 128 * 1024
MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature and an unsigned hint at its key."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, what it is, and who signed it; nothing here is verified yet."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


def seal(private_key: bytes, keyid: str, payload_type: str, payload: bytes) -> bytes:
    """Return the envelope of `payload` with one signature."""
    signature = Signature(keyid, sign(private_key, payload_type, payload))
    return encode(Envelope(payload_type, payload, (signature,)))


def open_(public_key: bytes, payload_type: str, data: bytes) -> bytes:
    """Return the payload of an envelope that this key, and no other, signed as `payload_type`."""
    envelope = decode(data)
    if envelope.payload_type != payload_type:
        raise InvalidSignature(f"Sign a payload of type {payload_type}.")
    if len(envelope.signatures) != 1:
        raise InvalidSignature("Send an envelope with exactly one signature.")
    verify(public_key, payload_type, envelope.payload, envelope.signatures[0].sig)
    return envelope.payload


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(private_key: bytes, payload_type: str, payload: bytes) -> bytes:
    """Return the 64-byte Ed25519 signature of `payload` as `payload_type`."""
    seed = keys.from_private(private_key).private
    return Ed25519PrivateKey.from_private_bytes(seed).sign(pae(payload_type, payload))


def verify(public_key: bytes, payload_type: str, payload: bytes, signature: bytes) -> None:
    """Raise InvalidSignature unless `signature` is this key's for exactly these bytes."""
    keys.check_public(public_key)
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature, pae(payload_type, payload))
    except (exceptions.InvalidSignature, ValueError) as error:
        raise InvalidSignature(
            "Sign these very bytes with this key: the signature does not fit them."
        ) from error


def encode(envelope: Envelope) -> bytes:
    """Return the envelope's one accepted JSON form: keys sorted, no blanks, plain base64."""
    if not 1 <= len(envelope.signatures) <= MAX_SIGNATURES:
        raise MalformedEnvelope(f"Put 1 to {MAX_SIGNATURES} signatures into an envelope.")
    value = {
        "payload": _base64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [{"keyid": s.keyid, "sig": _base64(s.sig)} for s in envelope.signatures],
    }
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    data = _utf8(text)
    if len(data) > MAX_ENVELOPE_BYTES:
        raise MalformedEnvelope(f"Keep the envelope within {MAX_ENVELOPE_BYTES} bytes.")
    return data


def decode(data: bytes) -> Envelope:
    """Return the envelope in `data`; refuse any other spelling than that of `encode`."""
    if len(data) > MAX_ENVELOPE_BYTES:
        raise MalformedEnvelope(f"Keep the envelope within {MAX_ENVELOPE_BYTES} bytes.")
    try:
        value: object = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedEnvelope("Send a DSSE envelope as JSON in UTF-8.") from error
    envelope = _envelope(value)
    # Doubled keys, unknown keys, blanks, other escapes and loose base64 all fail here.
    if encode(envelope) != data:
        raise MalformedEnvelope("Write the envelope in its canonical form, with no other fields.")
    return envelope


def _envelope(value: object) -> Envelope:
    match value:
        case {"payloadType": str(kind), "payload": str(payload), "signatures": list(signatures)}:
            signed = tuple(_signature(signature) for signature in signatures)
            return Envelope(kind, _unbase64(payload), signed)
    raise MalformedEnvelope("Give the envelope a payload, a payloadType and signatures.")


def _signature(value: object) -> Signature:
    match value:
        case {"keyid": str(keyid), "sig": str(sig)}:
            return Signature(keyid, _unbase64(sig))
    raise MalformedEnvelope("Give each signature a keyid and a sig.")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedEnvelope("Remove lone surrogates from the envelope.") from error


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEnvelope("Encode the payload and signatures as padded base64.") from error
