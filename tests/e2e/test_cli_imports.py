"""Whole models out to a file and in from one, through the command line and the real stack."""

import json
from pathlib import Path
from uuid import uuid4

from assay.client import Client
from assay.metadata.v1 import metadata_service_pb2 as api
from tests.e2e.conftest import Assay


def line(kind: str, **fields: object) -> str:
    return json.dumps({kind: fields}) + "\n"


def drafts(model: str, *numbers: int, namespace: str = "default") -> str:
    """Return the lines of a model with drafts of these numbers."""
    name = f"namespaces/{namespace}/models/{model}"
    versions = [
        line("model_version", name=f"{name}/versions/{number}", number=number, is_draft=True)
        for number in numbers
    ]
    return "".join([line("model", name=name, description="für 😀"), *versions])


def items(path: Path) -> list[dict[str, dict[str, object]]]:
    return [json.loads(text) for text in path.read_text().splitlines()]


def test_a_model_comes_out_as_it_went_in(assay: Assay, tmp_path: Path) -> None:
    model = f"in-{uuid4()}"
    source, copy = tmp_path / "source.jsonl", tmp_path / "copy.jsonl"
    source.write_text(drafts(model, 1, 2, 3))
    done = assay.run("import", "file", str(source))
    assert done.stdout == "Imported 4 item(s) in 1 batch(es): 3 version(s) written.\n"
    done = assay.run("import", "file", str(source))
    assert "in 1 batch(es), 1 of them known: 0 version(s) written." in done.stdout
    done = assay.run("export", model, "--output", str(copy))
    assert f"Exported 4 item(s) of namespaces/default/models/{model}" in done.stdout
    found = items(copy)
    assert found[0]["model"]["description"] == "für 😀"
    assert [item["model_version"]["number"] for item in found[1:]] == ["1", "2", "3"]


def test_a_refused_import_goes_on_once_its_file_is_mended(assay: Assay, tmp_path: Path) -> None:
    model, file = f"in-{uuid4()}", tmp_path / "items.jsonl"
    other = drafts(f"{model}-2", 1, 3)
    file.write_text(drafts(model, 1) + other)
    error = assay.refused("import", "file", str(file))
    assert error["reason"] == "MALFORMED"
    assert str(error["message"]).startswith("items[2].model_version: Number the versions")
    assert error["metadata"]["batch"] == "2"  # type: ignore[index]
    told = assay.run("import", "file", str(file), status=1).stderr
    import_id = told.rpartition("--import-id ")[2].split()[0]
    file.write_text(drafts(model, 1) + drafts(f"{model}-2", 1, 2))
    answer = assay.json("import", "file", str(file), "--import-id", import_id)
    assert (answer["batch"], answer["written_versions"]) == ("2", "2")


def test_a_namespace_is_imported_into_another(assay: Assay, tmp_path: Path) -> None:
    one, other = f"n-{uuid4()}", f"n-{uuid4()}"
    with Client.connect(assay.data) as client:
        for namespace in (one, other):
            request = api.CreateNamespaceRequest(namespace_id=namespace)
            client.metadata.CreateNamespace(request)
    source, first, second = (tmp_path / f"{name}.jsonl" for name in ("source", "one", "two"))
    source.write_text(drafts("a", 1) + drafts("b", 1, 2))
    assay.run("import", "file", str(source), "--into", one)
    assay.run("export", f"namespaces/{one}", "-o", str(first))
    assay.run("import", "file", str(first), "--into", other)
    assay.run("export", "--namespace", other, "-o", str(second))
    assert [names(item) for item in items(second)] == [
        [name.replace(one, other) for name in names(item)] for item in items(first)
    ]
    assert len(items(second)) == 5
    missing = f"n-{uuid4()}"
    assert assay.refused("import", "file", str(first), "--into", missing)["reason"] == "NOT_FOUND"


def names(item: dict[str, dict[str, object]]) -> list[str]:
    return [str(part["name"]) for part in item.values()]


def test_a_version_whose_files_are_not_there_is_refused(
    assay: Assay, model_folder: Path, tmp_path: Path
) -> None:
    model, file = f"in-{uuid4()}", tmp_path / "items.jsonl"
    assay.run("register", model, str(model_folder))
    assay.run("alias", "set", model, "champion", "1")
    assay.run("export", model, "-o", str(file))
    assert [next(iter(item)) for item in items(file)] == ["model", "model_version", "alias"]
    copy = tmp_path / "copy.jsonl"
    copy.write_text(file.read_text().replace(model, f"{model}-copy"))
    assay.run("import", "file", str(copy))  # the same files, under another name
    shown = assay.json("show", f"{model}-copy@champion")["model_version"]
    assert shown["imported"]["source"].startswith("export:")  # type: ignore[index]
    text = copy.read_text()
    digest = items(copy)[1]["model_version"]["manifest_digest"]
    other = tmp_path / "other.jsonl"
    other.write_text(text.replace(str(digest), f"sha256:{'0' * 64}").replace("-copy", "-other"))
    error = assay.refused("import", "file", str(other))
    assert error["reason"] == "MANIFEST_MISSING"
    assert error["metadata"]["item"] == "items[1].model_version"  # type: ignore[index]


def test_an_import_gets_round_no_policy(assay: Assay, tmp_path: Path) -> None:
    model, file, policy = f"in-{uuid4()}", tmp_path / "items.jsonl", tmp_path / "policy.yaml"
    policy.write_text(f"name: {model}\nmodels: {model}\nstages: production\nquorum: 2\n")
    assay.apply(policy)
    name = f"namespaces/default/models/{model}"
    digest = f"sha256:{'1' * 64}"
    elsewhere = line(
        "model_version",
        name=f"{name}/versions/1",
        external_uri="oci://host/name",
        manifest_digest=digest,
    )
    held = [
        line("stage", name=f"{name}/stages/{stage}", version=f"{name}/versions/1")
        for stage in ("staging", "production")
    ]
    file.write_text("".join([line("model", name=name), elsewhere, *held]))
    error = assay.refused("import", "file", str(file))
    assert error["reason"] == "APPROVAL_REQUIRED"
    assert error["metadata"]["item"] == "items[3].stage"  # type: ignore[index]
    assert assay.refused("versions", model)["reason"] == "NOT_FOUND"
    file.write_text("".join([line("model", name=name), elsewhere, held[0]]))
    assay.run("import", "file", str(file))
    assert assay.json("show", f"{model}@staging")["model_version"]["stages"] == ["staging"]  # type: ignore[index]


def test_what_cannot_be_read_or_written_is_said(assay: Assay, tmp_path: Path) -> None:
    assert assay.refused("import", "file", str(tmp_path / "none"))["code"] == "INVALID_ARGUMENT"
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text("no json\n")
    error = assay.refused("import", "file", str(wrong))
    assert "line 1: give one item as JSON" in str(error["message"])
    error = assay.refused("export", "nowhere", "-o", str(tmp_path / "out.jsonl"))
    assert error["reason"] == "NOT_FOUND"
    assert not (tmp_path / "out.jsonl").exists()
    assert assay.refused("export", "x", "-o", str(wrong))["reason"] == "FILE_EXISTS"


def test_a_model_that_is_there_already_is_imported_elsewhere(assay: Assay, tmp_path: Path) -> None:
    model, file = f"in-{uuid4()}", tmp_path / "items.jsonl"
    file.write_text(drafts(model, 1))
    assay.run("import", "file", str(file))
    file.write_text(drafts(model, 1, 2))  # other bytes are another import
    told = assay.run("import", "file", str(file), status=1).stderr
    assert "exists already" in told
    assert told.rstrip().endswith(f"assay import file {file} --into NAMESPACE")
