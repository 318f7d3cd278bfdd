"""WebAuthn: whether a passkey, its person verified, signed a record (W3C WebAuthn, section 7).

What was asked is compared here first, so that a refusal says what is wrong; then the library
`webauthn` goes through all the steps of the standard. Needs the extra `server`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import bytes_to_base64url, parse_cbor
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import InvalidCBORData
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from assay_trust import cbor, cose, digests, dsse, keys
from assay_trust.errors import InvalidSignature

MAX_AUTHENTICATOR_DATA_BYTES = 4 * 1024
MAX_CLIENT_DATA_BYTES = 4 * 1024
MAX_ATTESTATION_BYTES = 8 * 1024
_MAX_SIGNATURE_BYTES = 72  # two integers of P-256 in DER; an Ed25519 signature has 64
_ALGORITHMS = [COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEAlgorithmIdentifier.EDDSA]
# rpIdHash, flags, signCount; WebAuthn section 6.1
_FLAGS_AT, _COUNT_AT, _FIXED_BYTES = 32, 33, 37
_PRESENT, _VERIFIED, _ATTESTED, _EXTENDED = 0x01, 0x04, 0x40, 0x80
_AAGUID_BYTES, _LENGTH_BYTES = 16, 2


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator says of itself beside a signature that holds."""

    sign_count: int
    is_count_behind: bool  # the key may have been copied; many passkeys never count: always 0
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """A new passkey. Nobody attests the AAGUID: it is what the authenticator calls its model."""

    public_key: bytes
    key_id: str
    credential_id: bytes
    aaguid: str
    sign_count: int
    is_backed_up: bool


def challenge(payload_type: str, record: bytes) -> bytes:
    """Return what an authenticator is asked to sign for a record."""
    return digests.sha256_raw(dsse.pae(payload_type, record))


def verify_assertion(  # noqa: PLR0913 - all that the verdict depends on
    public_key: bytes,
    record: bytes,
    payload_type: str,
    *,
    authenticator_data: bytes,
    client_data_json: bytes,
    signature: bytes,
    rp_id: str,
    origin: str,
    last_sign_count: int = 0,
) -> Assertion:
    """Raise InvalidSignature unless this passkey signed this record on this page."""
    cose.check_public(public_key)
    asked = challenge(payload_type, record)
    _check_client_data(client_data_json, "webauthn.get", asked, origin)
    _check_authenticator_data(authenticator_data, rp_id, is_registration=False)
    if len(signature) > _MAX_SIGNATURE_BYTES:
        raise InvalidSignature(f"Send a signature of at most {_MAX_SIGNATURE_BYTES} bytes.")
    name = keys.key_id(public_key).encode()  # the library wants a credential's id, and no more
    response = AuthenticatorAssertionResponse(client_data_json, authenticator_data, signature)
    try:
        verified = verify_authentication_response(
            credential=AuthenticationCredential(bytes_to_base64url(name), name, response),
            expected_challenge=asked,
            expected_rp_id=rp_id,
            expected_origin=origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # compared below: the caller decides
            require_user_verification=True,
        )
    except Exception as error:  # the library lets errors of its parsers through
        raise InvalidSignature(
            "Sign this very record with this passkey: the signature does not fit it."
        ) from error
    count = verified.new_sign_count
    is_behind = max(count, last_sign_count) > 0 and count <= last_sign_count
    return Assertion(count, is_behind, verified.credential_backed_up)


def verify_registration(
    asked: bytes, *, attestation_object: bytes, client_data_json: bytes, rp_id: str, origin: str
) -> Registration:
    """Return the passkey that an authenticator made for the challenge `asked` on this page."""
    _check_client_data(client_data_json, "webauthn.create", asked, origin)
    credential_id = _check_attestation(attestation_object, rp_id)
    response = AuthenticatorAttestationResponse(client_data_json, attestation_object)
    try:
        verified = verify_registration_response(
            credential=RegistrationCredential(
                bytes_to_base64url(credential_id), credential_id, response
            ),
            expected_challenge=asked,
            expected_rp_id=rp_id,
            expected_origin=origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:  # the library lets errors of its parsers through
        raise InvalidSignature(
            "Make the passkey again: what the authenticator answered does not hold."
        ) from error
    public_key = verified.credential_public_key
    return Registration(
        public_key,
        keys.key_id(public_key),
        credential_id,
        verified.aaguid,
        verified.sign_count,
        verified.credential_backed_up,
    )


def _check_client_data(data: bytes, kind: str, asked: bytes, origin: str) -> None:
    """Refuse what a browser collected for another ceremony, challenge or page."""
    said = _client_data(data)
    if said.get("type") != kind:
        raise InvalidSignature(f"Send client data of type {kind}.")
    if said.get("challenge") != bytes_to_base64url(asked):
        raise InvalidSignature("Sign this very record: the client data has another challenge.")
    if not origin or said.get("origin") != origin:
        raise InvalidSignature("Sign on the page of this deployment: the origin is another.")
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        raise InvalidSignature("Sign on the page itself, not in a frame of another page.")


def _client_data(data: bytes) -> Mapping[str, object]:
    if len(data) > MAX_CLIENT_DATA_BYTES:
        raise InvalidSignature(f"Keep the client data within {MAX_CLIENT_DATA_BYTES} bytes.")
    try:
        # No member that is read here is a number, and a long one costs time.
        text = data.decode("utf-8")
        said: object = json.loads(text, object_pairs_hook=_unique, parse_int=str)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidSignature("Send the client data as the browser gave it, in JSON.") from error
    if not isinstance(said, dict):
        raise InvalidSignature("Send the client data as the browser gave it, a JSON object.")
    return said


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise InvalidSignature("Send client data that names each key once.")
    return unique


def _check_authenticator_data(data: bytes, rp_id: str, *, is_registration: bool) -> None:
    """Refuse data for another relying party, of an unverified person, or of another shape."""
    if not _FIXED_BYTES <= len(data) <= MAX_AUTHENTICATOR_DATA_BYTES:
        raise InvalidSignature("Send the authenticator data whole: 37 bytes to 4 KiB.")
    if not rp_id or data[:_FLAGS_AT] != digests.sha256_raw(rp_id.encode("utf-8", "replace")):
        raise InvalidSignature("Use a passkey of this deployment: the relying party is another.")
    flags = data[_FLAGS_AT]
    if not flags & _PRESENT:
        raise InvalidSignature("Touch the authenticator: nobody was present.")
    if not flags & _VERIFIED:
        raise InvalidSignature("Unlock the authenticator by PIN or biometry: nobody was verified.")
    if bool(flags & _ATTESTED) is not is_registration:
        raise InvalidSignature("Send a new key's data with a registration, and only there.")
    end = _end_of_key(data) if is_registration else _FIXED_BYTES
    end = cbor.end_of_item(data, end) if flags & _EXTENDED else end
    if end != len(data):
        raise cbor.malformed()


def _end_of_key(data: bytes) -> int:
    """Return where the attested credential data ends; refuse a key of another algorithm."""
    start = _key_start(data)
    end = cbor.end_of_item(data, start)
    cose.check_public(data[start:end])
    return end


def _key_start(data: bytes) -> int:
    start = _FIXED_BYTES + _AAGUID_BYTES + _LENGTH_BYTES
    return start + int.from_bytes(data[start - _LENGTH_BYTES : start], "big")


def _check_attestation(data: bytes, rp_id: str) -> bytes:
    """Return the credential's id; refuse what others attest, for nobody here would verify it."""
    if len(data) > MAX_ATTESTATION_BYTES:
        raise InvalidSignature(f"Keep the attestation within {MAX_ATTESTATION_BYTES} bytes.")
    if cbor.end_of_item(data) != len(data):
        raise cbor.malformed()
    authenticator_data = _attested(data)
    _check_authenticator_data(authenticator_data, rp_id, is_registration=True)
    return authenticator_data[
        _FIXED_BYTES + _AAGUID_BYTES + _LENGTH_BYTES : _key_start(authenticator_data)
    ]


def _attested(data: bytes) -> bytes:
    """Return the authenticator data in an attestation by nobody, or by the new key itself."""
    try:
        value: object = parse_cbor(data)
    except InvalidCBORData as error:
        raise cbor.malformed() from error
    match value:
        case {"fmt": "none", "attStmt": {**stated}, "authData": bytes(found)} if not stated:
            return found
        case {"fmt": "packed", "attStmt": {**stated}, "authData": bytes(found)}:
            if "x5c" not in stated:
                return found
    raise InvalidSignature("Ask the authenticator for no attestation: send the format none.")
