"""Models under other names: each name that a model ever had leads to it, and to no other."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import grpc
import pytest

import assay.metadata.v1.metadata_service_pb2 as api
from assay.metadata.v1.metadata_service_pb2_grpc import MetadataServiceStub
from assay.metadata.v1.resources_pb2 import Model, ModelVersion
from assay.type.v1.moment_pb2 import Moment
from tests.integration.metadata.registry import Registry, refused, revision


def _id() -> str:
    return f"new-{uuid4()}"


def _rename(registry: Registry, name: str, new: str, **more: str) -> Model:
    request = api.RenameModelRequest(name=name, new_model_id=new, **more)
    answer = registry.stub().RenameModel(request)
    registry.token = answer.consistency_token
    return answer.model


def _read(registry: Registry, name: str) -> Model:
    request = api.GetModelRequest(name=name, at_least_as_fresh=registry.token)
    return registry.stub().GetModel(request).model


def _named(new: str) -> str:
    return f"namespaces/default/models/{new}"


def test_both_names_lead_to_the_model(registry: Registry, metadata: MetadataServiceStub) -> None:
    name, new = registry.model(), _id()
    renamed = _rename(registry, name, new)
    assert (renamed.name, renamed.display_name) == (name, new)
    assert _read(registry, name) == _read(registry, _named(new)) == renamed
    version = registry.version(_named(new))
    assert version.name == f"{name}/versions/1"
    read = api.GetModelVersionRequest(
        name=f"{_named(new)}/versions/1", at_least_as_fresh=registry.token
    )
    assert metadata.GetModelVersion(read).model_version == version
    listed = api.ListModelVersionsRequest(parent=_named(new), at_least_as_fresh=registry.token)
    assert list(metadata.ListModelVersions(listed).model_versions) == [version]


def test_a_model_is_changed_by_each_of_its_names(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name, new = registry.model(), _id()
    renamed = _rename(registry, name, new)
    version = registry.version(name)
    changed = metadata.UpdateModel(
        api.UpdateModelRequest(
            model=Model(name=_named(new), etag=renamed.etag, description="Better")
        )
    ).model
    assert (changed.name, changed.description) == (name, "Better")
    by_new = f"{_named(new)}/versions/1"
    described = metadata.UpdateModelVersion(
        api.UpdateModelVersionRequest(
            model_version=ModelVersion(name=by_new, description="First", etag=version.etag)
        )
    ).model_version
    assert (described.name, described.description) == (version.name, "First")
    archived = metadata.ArchiveModelVersion(api.ArchiveModelVersionRequest(name=by_new))
    assert archived.model_version.name == version.name
    assert metadata.ArchiveModel(api.ArchiveModelRequest(name=_named(new))).model.name == name
    assert metadata.RestoreModel(api.RestoreModelRequest(name=_named(new))).model.name == name


def test_targets_are_set_and_read_by_each_name(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name, new = registry.model(), _id()
    registry.version(name)
    _rename(registry, name, new)
    alias = registry.alias(_named(new), "champion", 1)
    assert (alias.name, alias.version) == (f"{name}/aliases/champion", f"{name}/versions/1")
    read = api.GetAliasRequest(
        name=f"{_named(new)}/aliases/champion", at_least_as_fresh=registry.token
    )
    assert metadata.GetAlias(read).alias == alias
    request = api.ResolveRequest(name=read.name, at_least_as_fresh=registry.token)
    assert metadata.Resolve(request).model_version.name == f"{name}/versions/1"


def test_a_chain_of_names_leads_straight_to_the_model(registry: Registry) -> None:
    name = registry.model()
    names = [_id() for _ in range(5)]
    last = name
    for new in names:
        last = _rename(registry, last, new).name
        last = _named(new)
    assert _read(registry, name).display_name == names[-1]
    assert {_read(registry, _named(new)).name for new in names} == {name}


def test_a_model_is_called_by_its_old_name_again(registry: Registry) -> None:
    name, new = registry.model(), _id()
    _rename(registry, name, new)
    back = _rename(registry, name, name.rpartition("/")[2])
    assert back.display_name == name.rpartition("/")[2]
    assert _rename(registry, name, new).display_name == new


def test_a_name_that_leads_elsewhere_is_taken(registry: Registry) -> None:
    name, other, new = registry.model(), registry.model(), _id()
    _rename(registry, name, new)
    with refused("ALREADY_EXISTS"):
        registry.model(new)
    with refused("ALREADY_EXISTS"):
        _rename(registry, other, new)
    with refused("ALREADY_EXISTS"):
        _rename(registry, other, name.rpartition("/")[2])
    assert _read(registry, other).display_name == other.rpartition("/")[2]


@pytest.mark.parametrize("new", ["", "a/b", "a:b", "a\u200bb", "a\u202eb", "\u3164", "x" * 251])
def test_a_new_name_has_the_form_of_a_name(registry: Registry, new: str) -> None:
    with refused("MALFORMED" if new else "REQUIRED"):
        _rename(registry, registry.model(), new)


def test_of_eight_models_that_race_for_a_name_one_gets_it(registry: Registry) -> None:
    new = _id()
    models = [registry.model() for _ in range(8)]

    def race(index: int) -> bool:
        request = api.RenameModelRequest(name=models[index], new_model_id=new)
        try:
            registry.stub(channel=index).RenameModel(request)
        except grpc.RpcError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(race, range(8)))
    assert sum(won) == 1
    with refused("ALREADY_EXISTS"):
        _rename(registry, models[won.index(False)], new)
    token = registry.model() and registry.token
    request = api.GetModelRequest(name=_named(new), at_least_as_fresh=token)
    assert registry.stub().GetModel(request).model.name == models[won.index(True)]


def test_a_model_and_a_rename_race_for_a_name(registry: Registry) -> None:
    def took(rename: bool, name: str, new: str) -> bool:
        try:
            if rename:
                _rename(registry, name, new)
            else:
                registry.model(new)
        except grpc.RpcError:
            return False
        return True

    for _ in range(5):
        new, name = _id(), registry.model()
        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(took, (True, False), (name, name), (new, new))) == 1


def test_a_retried_rename_is_done_once(registry: Registry) -> None:
    name, new, request_id = registry.model(), _id(), str(uuid4())
    etag = _read(registry, name).etag
    first = _rename(registry, name, new, request_id=request_id, etag=etag)
    _rename(registry, name, _id())
    assert _rename(registry, name, new, request_id=request_id, etag=etag) == first


def test_a_refused_rename_leaves_the_new_name_free(registry: Registry) -> None:
    name, new = registry.model(), _id()
    with refused("ETAG_MISMATCH"):
        _rename(registry, name, new, etag='"1"')
    registry.stub().ArchiveModel(api.ArchiveModelRequest(name=name))
    with refused("MODEL_ARCHIVED"):
        _rename(registry, name, new)
    assert registry.model(new) == _named(new)


def test_before_its_rename_a_model_had_no_other_name(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name, new = registry.model(), _id()
    before = _read(registry, name)
    _rename(registry, name, new)
    moment = Moment(revision=revision(before.etag))
    old, other = (
        api.GetModelRequest(name=each, at_least_as_fresh=registry.token, as_of=moment)
        for each in (name, _named(new))
    )
    assert metadata.GetModel(old).model == before
    with refused("NOT_FOUND"):
        metadata.GetModel(other)


def test_history_and_diff_are_told_by_each_name(
    registry: Registry, metadata: MetadataServiceStub
) -> None:
    name, new = registry.model(), _id()
    before = Moment(revision=revision(_read(registry, name).etag))
    _rename(registry, name, new)
    registry.version(name)
    told = [
        metadata.ListHistory(
            api.ListHistoryRequest(name=each, at_least_as_fresh=registry.token)
        ).entries
        for each in (name, _named(new))
    ]
    assert list(told[0]) == list(told[1])
    assert told[0][0].resource == f"{name}/versions/1"
    changed = [
        metadata.Diff(
            api.DiffRequest(name=each, from_moment=before, at_least_as_fresh=registry.token)
        ).changes
        for each in (name, _named(new))
    ]
    assert list(changed[0]) == list(changed[1])
    assert {change.resource for change in changed[0]} >= {name, f"{name}/versions/1"}
    below = api.ListHistoryRequest(
        name=f"{_named(new)}/versions/1", at_least_as_fresh=registry.token
    )
    assert metadata.ListHistory(below).entries[0].resource == f"{name}/versions/1"
    unknown = api.ListHistoryRequest(name=_named(_id()), at_least_as_fresh=registry.token)
    with refused("NOT_FOUND"):
        metadata.ListHistory(unknown)
