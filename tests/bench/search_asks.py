"""What a search is asked: each kind of query with values that change from call to call."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from assay.metadata.v1.metadata_service_pb2 import SearchModelVersionsRequest
from tests.bench.search_rows import RARE_WORDS, SPACE, WORDS

_Filled: TypeAlias = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of query; `pages` says that there are enough results for 1,000 pages."""

    filter: _Filled = lambda _: ""
    text: _Filled = lambda _: ""
    order_by: str = ""
    count: bool = False
    pages: bool = False

    def request(self, draw: random.Random) -> SearchModelVersionsRequest:
        """Return a request with values of its own."""
        return SearchModelVersionsRequest(
            parent=SPACE,
            filter=self.filter(draw),
            text=self.text(draw),
            order_by=self.order_by,
            count=self.count,
        )


def _cohort(draw: random.Random) -> str:
    return f"tags.cohort = {draw.randrange(100)}"


def _team(draw: random.Random) -> str:
    return f"tags.team = {draw.randrange(10)}"


def _from(share: float) -> _Filled:
    """Return what asks for a share of all values of a metric: the best."""
    return lambda draw: f"metrics.auc > {1 - share + draw.random() * share / 100:.6f}"


def _word(draw: random.Random) -> str:
    return f"word{draw.randrange(WORDS)}"


def _rare_word(draw: random.Random) -> str:
    return f"portfolio rare{draw.randrange(RARE_WORDS)}"


def _both(one: _Filled, other: _Filled) -> _Filled:
    return lambda draw: f"{one(draw)} AND {other(draw)}"


ASKS: Mapping[str, Ask] = {
    "tag, 1 %": Ask(_cohort, pages=True),
    "tag, 10 %": Ask(_team, pages=True),
    "tag that nothing has": Ask(lambda draw: f"tags.cohort = {100 + draw.randrange(99)}"),
    "metric, 1 %": Ask(_from(0.01), pages=True),
    "metric, 10 %": Ask(_from(0.1), pages=True),
    "metric, half": Ask(_from(0.5), pages=True),
    "metric that nothing reaches": Ask(lambda draw: f"metrics.auc > {1 + draw.random()}"),
    "metric between, 1 %": Ask(
        lambda draw: f"metrics.auc > {(at := draw.random()):.6f} AND metrics.auc < {at + 0.01:.6f}"
    ),
    "tag 1 % and metric 1 %": Ask(_both(_cohort, _from(0.01))),
    "tag 10 % and metric 10 %": Ask(_both(_team, _from(0.1)), pages=True),
    "tag 1 %, tag 10 % and metric 10 %": Ask(_both(_cohort, _both(_team, _from(0.1)))),
    "text, 1 %": Ask(text=_word, pages=True),
    "text, two words, 0.02 %": Ask(text=_rare_word),
    "text that everything has": Ask(text=lambda _: "trained portfolio", pages=True),
    "text 1 % and tag 1 %": Ask(_cohort, _word),
    "tag 1 %, best metric first": Ask(_cohort, order_by="metrics.auc desc", pages=True),
    "best metric first": Ask(order_by="metrics.auc desc", pages=True),
    "tag 1 %, by number": Ask(_cohort, order_by="number", pages=True),
    "everything": Ask(pages=True),
    "alias": Ask(lambda _: "alias = champion", pages=True),
    "stage": Ask(lambda _: "stage = production"),
    "archived, of which there are none": Ask(lambda _: "state = ARCHIVED"),
    "one model and metric 10 %": Ask(
        _both(lambda draw: f"model = model-{draw.randrange(10_000):06}", _from(0.1))
    ),
    "tag 1 % or tag 1 %": Ask(lambda draw: f"{_cohort(draw)} OR {_cohort(draw)}"),
    "param 6 % and LIKE": Ask(
        lambda draw: f'params.depth = {draw.randrange(16)} AND description LIKE "%word1%"'
    ),
    "tag 1 %, counted": Ask(_cohort, count=True),
    "tag 10 %, counted up to 10,000": Ask(_team, count=True),
}
