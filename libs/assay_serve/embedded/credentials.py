"""The secrets of a stack: made once, kept in one file that only its owner may read."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from assay_serve.embedded import certificates, files, identity, nats, objects, postgres
from assay_serve.embedded.data_folder import DataFolder
from assay_serve.embedded.failures import Refused


@dataclass(frozen=True, slots=True)
class Secrets:
    """What `secrets.json` holds, besides who this deployment and its owner are."""

    deployment: str
    owner: str
    nats: Mapping[str, str]
    postgres: Mapping[str, str]
    s3: Mapping[str, str]


def load(folder: DataFolder) -> Secrets:
    """Return the secrets of a stack that was started before."""
    kept = files.read_json(folder.secrets)
    try:
        match kept:
            case {
                "deployment": str(deployment),
                "owner": str(owner),
                "nats": dict(bus),
                "postgres": dict(database),
                "s3": dict(store),
            }:
                return Secrets(
                    deployment,
                    owner,
                    _strings(bus, nats.USERS),
                    _strings(database, (postgres.ADMIN, *postgres.ROLES)),
                    _strings(store, tuple(objects.make_keys())),
                )
    except KeyError:
        pass
    raise Refused(f"{folder.secrets} is damaged; put back the copy from your backup.")


def load_or_make(folder: DataFolder) -> Secrets:
    """Return the secrets of the stack; make them at the first start, with the identity keys."""
    if folder.exists():
        folder.secrets.chmod(files.PRIVATE)
        identity.make(folder.identity)
        kept = load(folder)
        certificates.renew(folder.tls, kept.deployment)
        return kept
    if (folder.path / "nats" / "jetstream").exists():
        raise Refused(f"{folder.secrets} is missing; put back the copy from your backup.")
    made = Secrets(
        deployment=str(uuid.uuid4()),
        owner=str(uuid.uuid4()),
        nats=nats.make_passwords(),
        postgres=postgres.make_passwords(),
        s3=objects.make_keys(),
    )
    identity.make(folder.identity)
    certificates.renew(folder.tls, made.deployment)
    files.write_json(folder.secrets, asdict(made))
    return made


def _strings(value: Mapping[str, files.Json], wanted: tuple[str, ...]) -> dict[str, str]:
    return {name: str(value[name]) for name in wanted}
