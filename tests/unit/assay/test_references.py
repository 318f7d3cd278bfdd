"""How people name versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import references
from assay.errors import Invalid
from assay.names import MalformedName, VersionName
from assay.references import Labelled


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("churn/3", "namespaces/default/models/churn/versions/3"),
        ("a@b/3", "namespaces/default/models/a@b/versions/3"),
        ("namespaces/risk/models/churn/versions/3", "namespaces/risk/models/churn/versions/3"),
    ],
)
def test_a_slash_tells_a_version(text: str, name: str) -> None:
    assert str(references.parse(text)) == name


def test_a_name_splits_at_its_last_at() -> None:
    found = references.parse("mail@home@champion", "risk")
    assert isinstance(found, Labelled)
    assert str(found.alias) == "namespaces/risk/models/mail@home/aliases/champion"
    assert str(found.stage) == "namespaces/risk/models/mail@home/stages/champion"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "churn",
        "churn/0",
        "churn/-1",
        "churn/01",
        "churn/x",
        "/3",
        "@x",
        "churn@",
        "a:b/1",
        "a/b/1",
    ],
)
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises((Invalid, MalformedName)):
        references.parse(text)


@given(st.text(max_size=300))
def test_any_text_is_a_reference_or_a_refusal(text: str) -> None:
    try:
        found = references.parse(text)
    except (Invalid, MalformedName):
        return
    if isinstance(found, VersionName):
        assert VersionName.parse(str(found)) == found
