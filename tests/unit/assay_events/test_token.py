"""Consistency tokens: what they are made of is read back, and nothing else."""

import pytest

from assay_events.decider import Invalid
from assay_events.token import decode, encode


@pytest.mark.parametrize("revision", [0, 1, 2**63 - 1])
def test_a_token_is_read_back(revision: int) -> None:
    assert decode(encode(revision)) == revision


@pytest.mark.parametrize("revision", [-1, 2**63, 10**23])
def test_a_revision_that_no_stream_reaches_is_refused_and_not_waited_for(revision: int) -> None:
    with pytest.raises(Invalid):
        decode(encode(revision))
