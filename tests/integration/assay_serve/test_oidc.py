"""Tokens of OIDC providers at a real service: who is let in, as whom, and who is not."""

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import grpc
import pytest

from assay.approval.v1 import approval_service_pb2 as api
from assay.approval.v1.resources_pb2 import Role
from assay.type.v1.actor_pb2 import ActorKind
from assay_trust.jwks import b64url
from assay_trust.oidc import principal_id
from assay_trust.provider_keys import ALGORITHMS
from tests.integration.assay_serve.oidc_service import Trusting, as_, eventually, trusting
from tests.support.oidc_provider import AUDIENCE, OidcProvider, SigningKey, providing, sign
from tests.support.scribe import OWNER
from tests.support.service import bearer

Code = grpc.StatusCode


@dataclass
class World:
    """A service, the providers that it trusts, and one whose address it knows but nobody runs."""

    service: Trusting
    one: OidcProvider
    other: OidcProvider
    rotating: OidcProvider
    hanging: OidcProvider
    late: socket.socket  # bound, and not listened at: its port is nobody else's
    keys: dict[str, SigningKey]  # of the first provider, by algorithm

    @property
    def late_port(self) -> int:
        return int(self.late.getsockname()[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as opened:
        one, other, rotating, hanging = [opened.enter_context(providing()) for _ in range(4)]
        late = opened.enter_context(socket.socket())
        late.bind(("127.0.0.1", 0))
        late_url = f"http://127.0.0.1:{late.getsockname()[1]}"
        keys = {algorithm: SigningKey.make(algorithm) for algorithm in ALGORITHMS}
        one.published.extend(key.public for key in keys.values())
        issuers: list[dict[str, object]] = [
            one.settings(workload_claim="idtyp", workload_value="app"),
            other.settings(jwks_url=f"{other.url}/keys"),
            rotating.settings(refresh_seconds=1),
            hanging.settings(),
            {"issuer": late_url, "audience": AUDIENCE},
        ]
        folder = tmp_path_factory.mktemp("oidc")
        service = opened.enter_context(trusting(folder, issuers))
        yield World(service, one, other, rotating, hanging, late, keys)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_each_allowed_algorithm_is_accepted(world: World, algorithm: str) -> None:
    token = world.one.token("erin", key=world.keys[algorithm])
    assert world.service.refused(token) == (Code.OK, "")


def test_a_subject_is_a_principal_of_a_derived_id(world: World) -> None:
    principal = world.service.whoami(world.one.token("erin"))
    assert principal.name == f"principals/{principal_id(world.one.url, 'erin')}"
    assert principal.kind == ActorKind.ACTOR_KIND_HUMAN
    again = world.service.whoami(world.one.token("erin", name="Someone Else", jti="2"))
    assert again.name == principal.name
    assert again.printed_name == "Erin"


def test_the_same_subject_at_two_issuers_is_two_principals(world: World) -> None:
    one, other = (world.service.whoami(p.token("erin")) for p in (world.one, world.other))
    assert one.name != other.name


def test_the_rule_of_an_issuer_tells_workloads_from_people(world: World) -> None:
    job = world.service.whoami(world.one.token("nightly", idtyp="app"))
    assert job.kind == ActorKind.ACTOR_KIND_WORKLOAD
    human = world.service.whoami(world.other.token("nightly", idtyp="app", kind="service"))
    assert human.kind == ActorKind.ACTOR_KIND_HUMAN


def test_a_subject_cannot_be_chosen_to_be_the_owner_or_a_service(world: World) -> None:
    request = api.GrantRoleRequest(
        parent=f"principals/{OWNER}", role=Role(role="reader", scope="*")
    )
    for subject in (OWNER, f"principals/{OWNER}", "services/metadata", "services/approval"):
        token = world.one.token(subject, kind="service")
        found = world.service.whoami(token)
        assert found.name == f"principals/{principal_id(world.one.url, subject)}"
        assert found.kind == ActorKind.ACTOR_KIND_HUMAN
        assert OWNER not in found.name
        with pytest.raises(grpc.RpcError) as caught:
            world.service.stub.GrantRole(request, metadata=as_(token), timeout=20)
        assert caught.value.code() == Code.PERMISSION_DENIED


def test_a_role_of_the_derived_principal_gives_its_holder_the_right(world: World) -> None:
    token = world.one.token("reader")
    request = api.ListPoliciesRequest(parent="namespaces/default")

    def listed() -> Code:
        try:
            world.service.stub.ListPolicies(request, metadata=as_(token), timeout=20)
        except grpc.RpcError as error:
            return error.code()
        return Code.OK

    assert listed() == Code.PERMISSION_DENIED
    parent = world.service.whoami(token).name
    role = api.GrantRoleRequest(parent=parent, role=Role(role="reader", scope="*"))
    owner = bearer(world.service.served.folder)
    world.service.stub.GrantRole(role, metadata=owner, timeout=20)
    assert listed() == Code.OK


Forged = Callable[[OidcProvider, OidcProvider], str]


def _unsigned(one: OidcProvider, _: OidcProvider) -> str:
    header = {"alg": "none", "kid": one.key.kid, "typ": "JWT"}
    return f"{_part(header)}.{_part(one.claims('erin'))}."


def _confused(one: OidcProvider, _: OidcProvider) -> str:
    """Sign with HMAC, under the public key as the secret."""
    head = f"{_part({'alg': 'HS256', 'kid': one.key.kid})}.{_part(one.claims('erin'))}"
    secret = one.key.private.as_pem(private=False)
    return f"{head}.{b64url(hmac.new(secret, head.encode(), hashlib.sha256).digest())}"


def _without_kid(one: OidcProvider, _: OidcProvider) -> str:
    return sign({"alg": "RS256"}, one.claims("erin"), one.key)


def _of_an_unknown_kid(one: OidcProvider, _: OidcProvider) -> str:
    return one.token(key=SigningKey.make())


def _of_another_key(one: OidcProvider, _: OidcProvider) -> str:
    return one.token(key=SigningKey("RS256", SigningKey.make().private, one.key.kid))


def _of_the_other_issuers_key(one: OidcProvider, other: OidcProvider) -> str:
    return one.token(key=other.key)


def _of_the_other_issuers_kid(one: OidcProvider, other: OidcProvider) -> str:
    return one.token(key=SigningKey("RS256", one.key.private, other.key.kid))


def _changed(one: OidcProvider, _: OidcProvider) -> str:
    head, _claims, signature = one.token().split(".")
    return f"{head}.{_part(one.claims('frank'))}.{signature}"


REFUSED: list[tuple[Forged, str]] = [
    (_unsigned, "RS256"),
    (_confused, "RS256"),
    (_without_kid, "kid"),
    (_of_an_unknown_kid, "a key that http"),
    (_of_another_key, "signature"),
    (_of_the_other_issuers_key, "a key that http"),
    (_of_the_other_issuers_kid, "a key that http"),
    (_changed, "signature"),
    (lambda one, _: one.token(aud="others"), "audience"),
    (lambda one, _: one.token(aud=None), "audience"),
    (lambda one, _: one.token(iss="https://elsewhere.example"), "token of"),
    (lambda one, _: one.token(iss=None), "token of"),
    (lambda one, _: one.token(iss=f"{one.url}/"), "token of"),
    (lambda one, _: one.token(iss="assay-local"), "Sign|headers"),
    (lambda one, other: one.token(iss=other.url), "a key that http"),
    (lambda one, _: one.token(exp=int(time.time()) - 120), "expired"),
    (lambda one, _: one.token(exp=None), "exp"),
    (lambda one, _: one.token(nbf=int(time.time()) + 3600), "becomes valid"),
    (lambda one, _: one.token(iat=int(time.time()) + 3600), "future"),
    (lambda one, _: one.token(iat=None), "iat"),
    (lambda one, _: one.token(""), "sub"),
    (lambda one, _: one.token(cnf={"jkt": "x"}), "bound"),
]


@pytest.mark.parametrize(("forged", "words"), REFUSED)
def test_a_token_that_proves_nothing_is_refused(world: World, forged: Forged, words: str) -> None:
    token = forged(world.one, world.other)
    code, said = world.service.refused(token)
    assert code == Code.UNAUTHENTICATED
    assert any(word in said for word in words.split("|")), said
    assert said.endswith(".")
    assert world.service.refused(world.one.token("erin")) == (Code.OK, "")


def test_a_huge_token_is_refused(world: World) -> None:
    code, _ = world.service.refused(world.one.token(groups=["x" * 100] * 200))
    assert code in (Code.UNAUTHENTICATED, Code.RESOURCE_EXHAUSTED)  # gRPC bounds metadata itself
    assert world.service.refused(world.one.token("erin")) == (Code.OK, "")


def test_keys_rotate_without_a_restart(world: World) -> None:
    old = world.rotating.token("erin")
    eventually(lambda: world.service.refused(old)[0] == Code.OK)
    world.rotating.rotate("ES256")
    eventually(lambda: world.service.refused(world.rotating.token("erin"))[0] == Code.OK)
    eventually(lambda: world.service.refused(old)[0] == Code.UNAUTHENTICATED)


def test_a_key_that_is_no_longer_published_ends_its_remembered_tokens(world: World) -> None:
    eventually(lambda: world.service.refused(world.rotating.token("erin"))[0] == Code.OK)
    old = world.rotating.token("erin")
    assert world.service.refused(old)[0] == Code.OK
    world.rotating.rotate()
    eventually(lambda: world.service.refused(old)[0] == Code.UNAUTHENTICATED)


def test_forged_key_ids_do_not_make_a_storm_of_fetches(world: World) -> None:
    assert world.service.refused(world.other.token("erin"))[0] == Code.OK
    key, before, started = SigningKey.make("EdDSA"), len(world.other.asked), time.monotonic()
    for number in range(50):
        forged = SigningKey("EdDSA", key.private, f"forged-{number}")
        assert world.service.refused(world.other.token(key=forged))[0] == Code.UNAUTHENTICATED
    possible = (time.monotonic() - started) / 5 + 1  # one at once, then one each five seconds
    assert len(world.other.asked) - before <= possible


def test_keys_in_force_stay_so_while_the_provider_hangs(world: World) -> None:
    assert world.service.refused(world.hanging.token("erin"))[0] == Code.OK
    world.hanging.hanging.set()
    with ThreadPoolExecutor(4) as threads:
        forged = [
            threads.submit(world.service.refused, world.hanging.token(key=SigningKey.make()))
            for _ in range(4)
        ]
        for number in range(10):
            assert world.service.refused(world.hanging.token(f"p{number}"))[0] == Code.OK
            assert world.service.refused(world.one.token(f"p{number}"))[0] == Code.OK
        assert {each.result()[0] for each in forged} == {Code.UNAUTHENTICATED}
    world.hanging.hanging.clear()


def test_a_provider_that_was_down_at_the_start_is_trusted_once_it_is_up(world: World) -> None:
    port = world.late_port
    claims = {"iss": f"http://127.0.0.1:{port}", "aud": AUDIENCE, "sub": "erin"}
    now = int(time.time())
    key = SigningKey.make()
    header = {"alg": "RS256", "kid": key.kid}
    token = sign(header, {**claims, "iat": now, "exp": now + 600}, key)
    code, said = world.service.refused(token)
    assert code == Code.UNAVAILABLE
    assert said.startswith("Try again: the keys of http://")
    world.late.close()
    with providing(port) as late:
        late.published = [key.public]
        eventually(lambda: world.service.refused(token)[0] == Code.OK)


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
