"""The lines of a history are the same in every process that tells them."""

import json

from assay.metadata.v1.events_pb2 import ModelVersionRegistered
from assay.metadata.v1.resources_pb2 import Imported
from assay_metadata.projection import history


def test_the_claims_of_an_import_are_told_in_their_order() -> None:
    """A map of protobuf has another order in each process; a rebuild must not."""
    claims = {f"claim-{number}": str(number) for number in range(100)}
    imported = Imported(source="mlflow:http://127.0.0.1:5000", author="ann", claims=claims)
    event = ModelVersionRegistered(name="namespaces/a/models/b/versions/1", imported=imported)
    (line,) = (each for each in history.lines(event) if each.startswith("imported: "))
    told = json.loads(line.removeprefix("imported: "))
    assert list(told) == ["author", "claims", "source"]
    assert list(told["claims"]) == sorted(claims)
