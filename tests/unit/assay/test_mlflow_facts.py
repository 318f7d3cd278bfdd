"""What is imported says what the source said: the law that the comparison at the end rests on."""

import doctest
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.mlflow import claims, facts, translating
from assay.mlflow.advice import Adviser
from assay.mlflow.entities import SourceModel, SourceRun, SourceVersion
from assay.mlflow.facts import Difference
from assay.mlflow.faults import Unusable
from assay.mlflow.translating import Files

SOURCE = "mlflow:http://127.0.0.1:5000"
SHORT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
LONG = SHORT | SHORT.map(lambda text: 100 * text)
KEYS = st.text("abcß._-/ ", min_size=1, max_size=30)
PAIRS = st.dictionaries(KEYS, LONG, max_size=4)
TIMES = st.integers(0, 2**62)
MODELS = st.builds(
    SourceModel, st.just("churn"), LONG.map(lambda text: 10 * text), SHORT, TIMES, TIMES, PAIRS,
    st.dictionaries(KEYS, st.integers(1, 9), max_size=2),
)  # fmt: skip
VERSIONS = st.builds(
    SourceVersion, st.just("churn"), st.integers(1, 9), LONG, SHORT, TIMES, TIMES,
    st.sampled_from(["", "None", "Staging", "Production", "Archived"]),
    st.sampled_from(["", "s3://a:b@c/d e", "/mnt/größe", "models:/m-1"]) | SHORT,
    SHORT, SHORT, SHORT, LONG, SHORT, PAIRS,
)  # fmt: skip
RUNS = st.builds(SourceRun, st.dictionaries(KEYS, st.floats(), max_size=4), PAIRS)


@settings(deadline=None)
@given(MODELS)
def test_an_imported_model_says_what_the_source_said(model: SourceModel) -> None:
    imported = translating.model(SOURCE, model)
    assert facts.differences(facts.of_model(model), facts.of_imported_model(imported)) == []


@settings(deadline=None)
@given(MODELS, VERSIONS, RUNS | st.none(), st.booleans())
def test_an_imported_version_says_what_the_source_said(
    model: SourceModel, version: SourceVersion, run: SourceRun | None, has_files: bool
) -> None:
    files = Files(manifest_digest=f"sha256:{64 * '1'}") if has_files else Files()
    archived = translating.is_archived(version, model)
    imported = translating.version(SOURCE, version, run, files, archived=archived)
    told = facts.of_version(model, version, run, is_external=not has_files)
    assert facts.differences(told, facts.of_imported_version(imported)) == []
    for metric in imported.metrics:
        assert math.isfinite(metric.value)
    for key, text in [*imported.imported.claims.items(), *imported.tags.items()]:
        assert claims.fits(key, text)


def test_no_password_is_ever_kept() -> None:
    uri = "s3://me:secret-1@bucket/model?token=secret-2&v=1"
    version = SourceVersion("churn", 1, source=uri, run_link=uri)
    imported = translating.version(SOURCE, version, None, Files(), archived=False)
    assert "secret" not in str(imported)
    assert imported.external_uri == "s3://me@bucket/model?token=removed&v=1"


def test_a_version_without_a_place_becomes_an_archived_draft() -> None:
    imported = translating.version(SOURCE, SourceVersion("churn", 1), None, Files(), archived=False)
    assert imported.is_draft
    assert imported.imported.claims["files"] == translating.NO_PLACE


def test_more_claims_than_a_version_holds_are_refused() -> None:
    run = SourceRun({f"m{number}": math.nan for number in range(1001)})
    with pytest.raises(Unusable, match="more than 1000 claims"):
        translating.version(SOURCE, SourceVersion("churn", 1), run, Files(), archived=False)


@settings(deadline=None)
@given(st.dictionaries(KEYS, LONG.filter(bool), max_size=5))
def test_claims_are_whole_again_after_they_were_split(given_: Mapping[str, str]) -> None:
    split = claims.split(given_)
    assert claims.joined(split) == given_
    assert all(claims.fits(key, text) for key, text in split.items())


@pytest.mark.parametrize(
    ("number", "wrong", "words"),
    [
        (0, Difference("alias", "a", "2", "1"), "alias set churn a 2 --namespace x"),
        (0, Difference("alias", "a", "", "1"), "alias unset churn a --namespace x"),
        (0, Difference("stage", "production", "3", ""), "stage set churn production 3"),
        (0, Difference("stage", "governed", "3", ""), "approval request churn/3 --stage governed"),
        (2, Difference("tag", "a", "b c", ""), "version update churn/2 --tag 'a=b c'"),
        (0, Difference("tag", "a", "", "b"), "model update churn --untag a"),
        (
            2,
            Difference("description", "", "x\ny", "b"),
            "version update churn/2 --description TEXT",
        ),
        (2, Difference("state", "", "archived", "active"), "version archive churn/2"),
        (2, Difference("state", "", "active", "archived"), "version restore churn/2"),
        (2, Difference("file", "a", "1", "2"), "register what the source has now"),
    ],
)
def test_each_difference_comes_with_what_to_do(number: int, wrong: Difference, words: str) -> None:
    adviser = Adviser(("--namespace", "x"), {("churn", "stage", "governed")})
    assert words in adviser.advise("churn", number, wrong)


def test_the_examples_of_claims_run() -> None:
    assert doctest.testmod(claims).failed == 0
