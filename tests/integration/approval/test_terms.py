"""What an approval and its signatures say, as regulators ask for it."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from assay.approval.v1.approval_service_pb2 import WithdrawApprovalRequest
from assay.approval.v1.events_pb2 import ApprovalRequested
from assay.approval.v1.resources_pb2 import ApprovalState, Condition, Meaning, PolicySpec
from assay.cli.approval_screen import show_approval
from assay.cli.policy_files import requests_of
from assay.cli.screen import Screen
from assay.event.v1.envelope_pb2 import Envelope
from assay.folder import DataFolder
from assay.metadata.v1.resources_pb2 import Model, ModelCard
from assay.type.v1.actor_pb2 import Actor, ActorKind
from assay_approval.domain.approval import APPROVAL
from assay_trust import digests, tokens
from tests.integration.approval.caller import Caller
from tests.integration.approval.court import Court
from tests.integration.approval.refusals import fresh, refused
from tests.integration.approval.test_endings import EXPIRED, is_now, wait_for

PAGE = Path(__file__).parents[3] / "docs" / "policies.md"
USE, LIMITS = "Ranking of customers, never prices.", "Wrong for minors."
STATIC = {"learning": "static", "output": "deterministic", "task": "classification"}


async def envelopes(court: Court, approval: str) -> list[Envelope]:
    """Return what lies on the stream about an approval."""
    async with court.scribe() as scribe:
        stored = await scribe.stores["approval"].read_subject(APPROVAL.subject(approval))
    return [Envelope.FromString(each.body) for each in stored]


@pytest.mark.requirement("W5.1", "W6", "W11")
async def test_an_approval_keeps_use_limits_and_tier_under_the_digest_that_is_signed(
    court: Court, ann: Caller, bob: Caller
) -> None:
    conditions = [
        Condition(id="use", expression='model.intended_use != "" && model.tier == "high"'),
        Condition(id="limits", expression='card.limits != ""'),
    ]
    version = court.ruled(PolicySpec(quorum=1, conditions=conditions))
    with refused("CONDITION_UNMET"):
        ann.ask(version)
    model = version.rpartition("/versions/")[0]
    court.versions.models[model] = Model(name=model, intended_use=USE, tier="high")
    court.versions.known[version].card.CopyFrom(ModelCard(limits=LIMITS))
    granted = bob.sign(ann.ask(version).name)
    (asked, *_) = await envelopes(court, granted.name)
    kept = ApprovalRequested.FromString(asked.data)
    assert {USE, LIMITS, "high"} <= set(texts(json.loads(kept.evidence)))
    assert digests.sha256(kept.evidence) == granted.evidence_digest
    signed = json.loads(granted.signatures[0].record)
    assert signed["evidence_digest"] == granted.evidence_digest


def texts(value: object) -> list[str]:
    """Return all texts in a value of JSON."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.requirement("W5.2")
def test_a_condition_that_is_unmet_when_the_time_is_over_ends_the_approval(
    court: Court, ann: Caller, bob: Caller
) -> None:
    report = Condition(id="report", expression="has(attached.report)", may_follow=True)
    spec = PolicySpec(quorum=1, conditions=[report], open_seconds=2)
    asked = ann.ask(court.ruled(spec))
    assert [each.is_satisfied for each in asked.conditions] == [False]
    wait_for(is_now(ann, asked, EXPIRED))
    with refused("NOT_OPEN"):
        bob.sign(asked.name)
    with refused("NOT_OPEN"):
        ann.attach(asked.name, "report", found="nothing")
    assert not court.check(asked.version, asked.name).approval


@pytest.mark.requirement("W7")
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"learning": "continuous"},
        {"output": "sampled"},
        {"task": "generation"},
        {"task": ""},
    ],
    ids=lambda said: " ".join(said.values()) or "nothing" if said != {"task": ""} else "no task",
)
def test_the_policy_for_gmp_refuses_dynamic_random_and_generative_models(
    court: Court, ann: Caller, bob: Caller, tmp_path: Path, said: dict[str, str]
) -> None:
    version = court.ruled(gmp(tmp_path))
    court.versions.known[version].tags.update({**STATIC, **said} if said else {})
    with refused("CONDITION_UNMET"):
        ann.ask(version)
    court.versions.known[version].tags.update(STATIC)
    assert bob.sign(ann.ask(version).name).state == ApprovalState.APPROVAL_STATE_GRANTED


def gmp(folder: Path) -> PolicySpec:
    """Return what the example of the page says, less whom it governs and who signs."""
    block = PAGE.read_text().partition("```yaml\n# gmp.yaml\n")[2].partition("```")[0]
    (folder / "gmp.yaml").write_text(block)
    (request,) = requests_of(folder / "gmp.yaml", "default", "")
    return PolicySpec(quorum=1, conditions=request.policy.spec.conditions)


@pytest.mark.requirement("S1.1")
@pytest.mark.parametrize("meaning", ["approved", "rejected"])
def test_a_signature_shows_who_when_and_what_it_means(
    court: Court,
    ann: Caller,
    bob: Caller,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    meaning: str,
) -> None:
    begin = datetime.now(UTC).replace(microsecond=0)
    asked = ann.ask(court.governed())
    signed = bob.sign(asked.name) if meaning == "approved" else bob.reject(asked.name, "Drifts.")
    shown = ann.get(asked.name, fresh(signed))
    (signature,) = shown.signatures
    at = signature.sign_time.ToDatetime(tzinfo=UTC)
    assert signature.printed_name == bob.person.word.title()
    assert Meaning.Name(signature.meaning) == f"MEANING_{meaning.upper()}"
    assert begin <= at <= datetime.now(UTC)
    show_approval(Screen(DataFolder(tmp_path)), shown)
    words = f"{signature.printed_name} {meaning} as validator at {at:%Y-%m-%d %H:%M:%S}Z"
    assert words in capsys.readouterr().out


@pytest.mark.requirement("A2", "A4")
async def test_an_event_says_who_when_why_and_by_what_authentication(
    court: Court, ann: Caller
) -> None:
    begin = datetime.now(UTC)
    asked = ann.ask(court.governed())
    request = WithdrawApprovalRequest(name=asked.name, reason=" ", request_id=str(uuid4()))
    pem = (court.folder / "identity" / "issuer.pem").read_bytes()
    who, now = ann.name.removeprefix("principals/"), int(time.time())
    token = tokens.mint_user(pem, "assay-local", who, now, client="assay-cli/0.1.0")
    metadata = (("authorization", f"Bearer {token}"),)
    with refused("REQUIRED"):
        court.stub.WithdrawApproval(request, metadata=metadata)
    request.reason = "The wrong version."
    court.stub.WithdrawApproval(request, metadata=metadata)
    (_, event) = await envelopes(court, asked.name)
    assert event.actor == Actor(
        principal=ann.name,
        kind=ActorKind.ACTOR_KIND_HUMAN,
        issuer="assay-local",
        acr="local",
        amr=["file"],
        client="assay-cli/0.1.0",
    )
    assert (event.type, event.subject) == ("assay.approval.v1.ApprovalWithdrawn", asked.name)
    assert event.reason.clear == "The wrong version."
    assert event.request_id == request.request_id
    assert begin <= event.time.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)
