"""docs/events.md says of every event what its proto says."""

import importlib.util

from tests.architecture.house import ROOT

WORDS = "docs/events.md is older than protos/; run `make protos`."


def test_the_catalogue_of_events_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("catalogue", ROOT / "tools/event_catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs/events.md").read_text() == module.catalogue(), WORDS
