"""Steps, codes, lent roles, break-glass and endorsements, as people meet them."""

import json
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import Assay

POLICY = """
name: {model}
models: [{model}]
stages: [production]
steps:
  - {{id: validation, seats: [{{role: validator}}]}}
  - {{id: second, seats: [{{role: validator}}]}}
conditions:
  - {{id: purpose, expression: 'card.purpose != ""'}}
  - {{id: bias, expression: 'attached["bias"]["found"] == "no"', may_follow: true}}
reason_codes: [risk-accepted, incident]
break_glass: {{seats: [{{role: validator}}], review_within: 24h, valid_for: 72h}}
"""


@pytest.fixture
def governed(assay: Assay, model_folder: Path, tmp_path: Path) -> str:
    """Give a model whose production is governed by a policy with two steps."""
    model = f"m-{uuid4()}"
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.format(model=model))
    assay.apply(policy)
    assay.run("register", model, str(model_folder), "--as", "ann")
    return model


def asked(assay: Assay, model: str, *words: str) -> str:
    """Ask for production as Ann; return the approval."""
    line = ("approval", "request", f"{model}/1", "--stage", "production", *words, "--as", "ann")
    approval = assay.json(*line)["approval"]
    assert isinstance(approval, dict)
    return str(approval["name"])


@pytest.mark.requirement("W2", "W12")
def test_two_steps_with_evidence_codes_and_a_lent_role(
    assay: Assay, governed: str, tmp_path: Path
) -> None:
    line = ("approval", "request", f"{governed}/1", "--stage", "production", "--as", "ann")
    assert assay.refused(*line)["reason"] == "CONDITION_UNMET"
    card = tmp_path / "card.yaml"
    card.write_text("purpose: To be looked at.\n")
    assay.run("version", "update", f"{governed}/1", "--card", str(card), "--as", "ann")
    name = asked(assay, governed)
    code = ("--code", "risk-accepted")
    bob = ("approval", "sign", name, "--as", "bob")
    reject = ("approval", "reject", name, "--reason", "Biased.", "--code", "mood", "--as", "bob")
    assert assay.refused(*reject)["reason"] == "BAD_REASON_CODE"
    assert assay.refused(*bob, *code, "--step", "second")["reason"] == "STEP_NOT_OPEN"
    shown = assay.run(*bob, *code, "--step", "validation", "--role", "validator").stdout
    assert "step validation: 1 of 1 validator, complete (bob)" in shown
    assert "step second: 0 of 1 validator, open" in shown

    # What may follow must be there before the last signature.
    refusal = assay.refused("approval", "sign", name, *code, "--as", "eve")
    assert refusal["reason"] == "CONDITION_UNMET"
    assert str(refusal["next"]).startswith("assay approval explain")
    assay.run("approval", "attach", name, "bias", "--claim", "found=no", "--as", "ann")

    # Eve lends her role to Kim, who signs in it; Bob may not sign again.
    assert assay.refused(*bob, *code)["reason"] == "ALREADY_SIGNED"
    assay.run("key", "enrol", "--as", "kim", "--name", "Kim Keeper")
    (key,) = (
        each
        for each in assay.rows("proposal", "list", of="proposals")
        if "/keys/" in str(each["name"])
    )
    assay.run("proposal", "endorse", str(key["name"]), "--as", "ann")
    lend = ("role", "lend", "kim", "approver:validator", "--scope", "*")
    assay.run(*lend, "--for", "7d", "--as", "eve")
    kim = assay.run("approval", "sign", name, *code, "--for", "eve", "--as", "kim").stdout
    assert "Kim Keeper approved as validator for eve" in kim
    assert f"{governed} has moved: stage production is version 1 now." in kim

    # Suspended, resumed, revoked with a code.
    end = (name, "--reason", "An alarm.", "--as", "eve")
    assert assay.refused("approval", "suspend", *end)["reason"] == "BAD_REASON_CODE"
    for verb, state in (("suspend", "SUSPENDED"), ("resume", "GRANTED"), ("revoke", "REVOKED")):
        extra = () if verb == "resume" else ("--code", "incident")
        done = assay.json("approval", verb, *end, *extra)["approval"]
        assert isinstance(done, dict)
        assert done["state"] == f"APPROVAL_STATE_{state}"


@pytest.mark.requirement("W10")
def test_break_glass_lets_in_at_once_and_is_reviewed(assay: Assay, governed: str) -> None:
    code = ("--code", "incident")
    line = ("approval", "request", f"{governed}/1", "--stage", "production", "--as", "ann")
    uncoded = (*line, "--break-glass", "--reason", "An incident.")
    assert assay.refused(*uncoded)["reason"] == "BAD_REASON_CODE"
    name = asked(assay, governed, "--break-glass", "--reason", "An incident.", *code)
    signed = assay.run("approval", "sign", name, *code, "--as", "bob").stdout
    assert "review by" in signed
    assert "condition purpose" in signed
    for login, is_due in (("ann", False), ("bob", False), ("eve", True)):
        due = {each["name"] for each in assay.rows("inbox", "--as", login, of="reviews")}
        assert (name in due) is is_due
    assert "Break-glass grants to review:" in assay.run("inbox", "--as", "eve").stdout
    why = ("--reason", "It was right.", *code)
    assert assay.refused("approval", "review", name, *why, "--as", "bob")["reason"] == (
        "SELF_APPROVAL"
    )
    reviewed = assay.run("approval", "review", name, *why, "--as", "eve").stdout
    assert "I have reviewed the break-glass grant" in reviewed
    assert "review by" not in reviewed
    assert name not in {each["name"] for each in assay.rows("inbox", "--as", "eve", of="reviews")}
    for verb in ("show", "explain"):
        told = assay.run("approval", verb, name, "--as", "ann").stdout
        assert "Eve" in told
        assert "reviewed as validator at" in told
        assert "[incident]: It was right." in told
    assert assay.refused("approval", "review", name, *why, "--as", "eve")["reason"] == "NOT_OPEN"


@pytest.mark.requirement("W1", "S5")
def test_a_stranger_is_refused_and_told_whom_to_ask(assay: Assay) -> None:
    refusal = assay.refused("models", "--as", "stranger")
    assert refusal["code"] == "PERMISSION_DENIED"
    assert str(refusal["next"]).startswith("assay role list")
    unknown = assay.refused("role", "grant", "nobody-yet", "reader")
    assert unknown["next"] == "assay principal create --as nobody-yet"
    made = assay.json("role", "grant", "ann", "reader")["role"]
    assert isinstance(made, dict)
    for login, is_asked in (("ann", False), ("bob", True), ("lee", False)):
        waiting = assay.rows("inbox", "--as", login, of="proposals")
        assert (made["name"] in {each["name"] for each in waiting}) is is_asked
    assert "Proposals to endorse:" in assay.run("inbox", "--as", "bob").stdout
    endorse = ("proposal", "endorse", str(made["name"]))
    assert assay.refused(*endorse, "--as", "ann")["reason"] == "SELF_ENDORSEMENT"
    assert assay.refused(*endorse)["reason"] == "OWNER_MAY_NOT_SIGN"
    assert json.loads(assay.run(*endorse, "--as", "bob", "--json").stdout)["role"]["endorser"]
    assay.run("role", "remove", "ann", "reader", "--reason", "No need.")


@pytest.mark.requirement("W8")
def test_who_asked_finds_the_grants_to_renew(
    assay: Assay, model_folder: Path, tmp_path: Path
) -> None:
    model, policy = f"m-{uuid4()}", tmp_path / "renewed.yaml"
    times = "valid_for: 1h\nrecertify_before: 3599s\n"
    policy.write_text(f"name: {model}\nmodels: [{model}]\nstages: [production]\nquorum: 1\n{times}")
    assay.apply(policy)
    assay.run("register", model, str(model_folder), "--as", "ann")
    name = asked(assay, model)
    assay.run("approval", "sign", name, "--as", "bob")

    def is_due(login: str) -> bool:
        return name in {each["name"] for each in assay.rows("inbox", "--as", login, of="renewals")}

    until = time.monotonic() + 30
    while not is_due("ann"):
        assert time.monotonic() < until
    assert not is_due("bob")
    assert "Grants to renew:" in assay.run("inbox", "--as", "ann").stdout
