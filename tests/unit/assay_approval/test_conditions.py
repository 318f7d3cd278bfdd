"""What conditions say of a version, what they refuse to be, and what they take from nobody."""

import pytest

from assay_approval.cel.facts import Dataset, Lineage
from assay_approval.cel.profile import MAX_EXPRESSION_BYTES
from assay_approval.conditions import BadCondition, Inputs, compile_condition
from tests.unit.assay_approval import conditions_sample as sample

REFUSED = {
    'version.metrics["auc"] >= 90': "at line 1, column 24: write both numbers as doubles",
    "version.number >= 1.0": "write both numbers as doubles, such as 90.0, or both as integers",
    "version.metrics": "make it true or false",
    "1": "make it true or false",
    "[1, true][1]": "make it true or false",
    "": "line 1, column 1: mend the syntax",
    "version.": "mend the syntax",
    "true\n&& nope": "at line 2, column 4: nope is neither a variable nor a function",
    "version == 1": "version is neither",
    "version.secret == 1": "version.secret is neither",
    "modell.tier == 'high'": "modell.tier is neither",
    'model.tier.matches("h.*")': "matches is neither",
    "now() == now()": "now is neither",
    'timestamp("2026-01-01T00:00:00Z") > timestamp("")': "timestamp is neither",
    'duration("1s") == duration("1s")': "duration is neither",
    "dyn(1) == dyn(1)": "dyn is neither",
    "type(1) == int": "type is neither",
    'bytes("a") == bytes("a")': "bytes is neither",
    "uint(1) == 1u": "uint is neither",
    "cel.bind(x, 1, x == 1)": "neither a variable nor a function",
    "optional.of(1).hasValue()": "neither a variable nor a function",
    'model.tier + "x" == "highx"': "no matching overload",
    "int(1.5) == 1": "no matching overload",
    "true < false": "no matching overload",
    "b'a' < b'b'": "no matching overload",
    "b'a' == b'a'": "compare texts, numbers or booleans",
    "null == null": "compare texts, numbers or booleans",
    "1 == 1.0": "write both numbers as doubles",
    "version.metrics.?auc == 1.0": "unsupported syntax",
    "lineage.inputs == lineage.trainers": "column 16: compare texts, numbers or booleans",
    "version.tags != model.tags": "compare texts, numbers or booleans",
    "lineage.datasets[0] in lineage.datasets": "look for a text, number or boolean",
    "size(lineage.inputs + lineage.trainers) == 0": "lists can't be joined",
    "google.protobuf.Struct{}.size() == 0": "messages can't be made",
    "google.protobuf.Int64Value{value: 1} == 1": "compare texts, numbers or booleans",
    "version.name.contains(model.tier)": "give contains a text in quotes",
    f'version.name.contains("{"a" * 65}")': "at most 64 characters",
    "lineage.inputs.all(x, lineage.trainers.all(y, x != y))": "take this comprehension out",
    "lineage.inputs.map(x, lineage.inputs.map(y, y)).size() == 0": "take this comprehension out",
    "lineage.inputs.all(attached, attached == '')": "give the item another name than attached",
    "lineage.inputs.all(x.y, true)": "must be a simple identifier",
    '"a\u202eb" == "ab"': "column 3: leave the character U+202E out",
    "true\x00": "leave the character U+0000 out",
    "true\u200b": "leave the character U+200B out",
    '"\ud800" == ""': "leave the character U+D800 out",
    '"e\u0301" == "x"': "Unicode's form NFC",
    f'"{"x" * MAX_EXPRESSION_BYTES}" == ""': f"keep it within {MAX_EXPRESSION_BYTES} bytes",
    f'"{"é" * (MAX_EXPRESSION_BYTES // 2)}" == ""': f"keep it within {MAX_EXPRESSION_BYTES} bytes",
    "(" * 40 + "true" + ")" * 40: "nest the expression at most 32 deep",
    "1" + " + 1" * 40 + " == 41": "nest the expression at most 32 deep",
}


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return sample.inputs()


def verdict_of(expression: str, inputs: Inputs) -> tuple[bool, str]:
    verdict = compile_condition("it", expression).evaluate(inputs)
    return verdict.satisfied, verdict.detail


@pytest.mark.requirement("W6")
@pytest.mark.parametrize("expression", sample.SATISFIED)
def test_a_true_condition_is_satisfied_and_needs_no_words(expression: str, inputs: Inputs) -> None:
    assert verdict_of(expression, inputs) == (True, "")


@pytest.mark.requirement("W6")
@pytest.mark.parametrize("expression", sample.UNSATISFIED)
def test_any_other_condition_is_not_and_says_why_in_a_sentence(
    expression: str, inputs: Inputs
) -> None:
    satisfied, detail = verdict_of(expression, inputs)
    assert not satisfied
    assert detail.endswith(".")
    assert len(detail) < 500


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        ('version.metrics["auc"] >= 0.95', 'It is false: version.metrics["auc"] is 0.91.'),
        ("version.metrics.auc >= 0.95", 'It is false: version.metrics["auc"] is 0.91.'),
        ('version.metrics["f1"] >= 0.1', 'version.metrics["f1"] is missing.'),
        ("attached.pentest.open == '0'", 'attached["pentest"]["open"] is missing.'),
        ("1 / 0 == 1", "It can't be evaluated: divide by zero."),
        ("false", "It is false."),
        ('.scan.verdict == "malicious"', 'It is false: scan.verdict is "clean".'),
        (
            '1 / 0 == 1 && version.metrics["f1"] > 0.1',
            "It can't be evaluated: divide by zero.",
        ),
        (
            "has(version.metrics.auc) && version.metrics.latency > 90.0",
            'It is false: version.metrics["latency"] is 12.5.',
        ),
        (
            (
                'scan.critical > 0 || version.number > 9 || card.limits != "" || version.external'
                ' || model.tier == ""'
            ),
            (
                'It is false: scan.critical is 0, version.number is 3, card.limits is "",'
                " version.external is false."
            ),
        ),
        (
            'scan.verdict != "clean" || model.tier == "low"',
            'It is false: scan.verdict is "clean", model.tier is "high".',
        ),
    ],
)
def test_the_detail_names_what_was_read(expression: str, detail: str, inputs: Inputs) -> None:
    assert verdict_of(expression, inputs) == (False, detail)


def test_the_detail_of_a_long_text_is_short(inputs: Inputs) -> None:
    long = Inputs({**inputs.values, "card.purpose": "x" * 4096})
    satisfied, detail = verdict_of('card.purpose == ""', long)
    assert not satisfied
    assert len(detail) < 120


@pytest.mark.parametrize("expression", REFUSED, ids=lambda expression: ascii(expression)[:40])
def test_what_is_outside_the_profile_is_refused(expression: str) -> None:
    with pytest.raises(BadCondition) as refused:
        compile_condition("auc", expression)
    words = str(refused.value)
    assert REFUSED[expression] in words
    assert words.startswith("Correct the condition auc")
    assert words.endswith(".")
    assert "\n" not in words


def test_a_refusal_tells_the_place() -> None:
    with pytest.raises(BadCondition) as refused:
        compile_condition("auc", 'scan.verdict == "clean" &&\n  version.metrics["auc"] >= 90')
    told = (refused.value.condition_id, refused.value.line, refused.value.column)
    assert told == ("auc", 2, 26)


def test_a_condition_knows_what_it_reads() -> None:
    condition = compile_condition(
        "it", "version.metrics.auc > 0.5 && lineage.datasets.all(d, d.name != model.tier)"
    )
    assert condition.variables == {"version.metrics", "lineage.datasets", "model.tier"}


def test_a_variable_that_was_left_out_satisfies_nothing(inputs: Inputs) -> None:
    left = Inputs({name: v for name, v in inputs.values.items() if name != "card.purpose"})
    assert verdict_of('card.purpose != "x"', left) == (
        False,
        "card.purpose was left out of the inputs.",
    )
    assert verdict_of('card.data != "x" || true', left) == (True, "")


def test_evidence_that_follows_may_satisfy_a_condition(inputs: Inputs) -> None:
    condition = compile_condition("pentest", 'attached["pentest"]["open"] == "0"')
    assert not condition.evaluate(inputs).satisfied
    assert condition.evaluate(inputs.with_attached({"pentest": {"open": "0"}})).satisfied


def test_a_text_is_compared_in_one_form_whoever_typed_it() -> None:
    lineage = Lineage(datasets=[Dataset(name="cafe\u0301")])
    typed = Inputs.of(sample.VERSION, sample.MODEL, sample.SCAN, lineage, {})
    assert verdict_of('lineage.datasets[0].name == "café"', typed) == (True, "")
