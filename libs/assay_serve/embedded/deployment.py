"""The files of `deploy/` that must say what the embedded stack says.

`python -m assay_serve.embedded.deployment FOLDER` writes the accounts and roles again, and
`python -m assay_serve.embedded.deployment --environment DIR` prints what `deploy/compose.yaml`
wants to be told, from secrets that it makes in DIR at the first call; clients find the services
by `--data DIR` then.
"""

import sys
from pathlib import Path

from assay_serve.embedded import credentials, data_folder, files, nats, objects, ports, postgres
from assay_serve.embedded.contexts import SERVICES
from assay_serve.embedded.failures import Refused

PUBLISHED = {name: 7001 + number for number, name in enumerate(SERVICES)}
_NATS = """\
# NATS for Assay, one server. For three, add a cluster block, and `num_replicas: 3` to the stream.
# Each password comes from the environment of the server: ASSAY_NATS_PASSWORD_METADATA and so on.
# Made by `python -m assay_serve.embedded.deployment deploy`; a test compares.
"""
_POSTGRES = """\
-- The roles and databases of Assay; psql, as superuser; any number of times.
-- Each password comes from the environment of psql: ASSAY_POSTGRES_PASSWORD_METADATA and so on.
-- Made by `python -m assay_serve.embedded.deployment deploy`; a test compares.
"""


def nats_config() -> str:
    """Return the NATS configuration with passwords from the environment."""
    passwords = {user: f"${nats_variable(user)}" for user in nats.USERS}
    server = (
        'server_name: "assay"\n'
        'listen: "0.0.0.0:4222"\n'
        'http: "127.0.0.1:8222"  # health\n'
        "max_payload: 1MB\n"
        'jetstream { store_dir: "/data", sync_interval: always }\n'
    )
    return _NATS + server + nats.accounts(passwords)


def roles_sql() -> str:
    """Return the SQL of roles and databases with passwords from the environment."""
    names = {role: f"{role}_password" for role in postgres.ROLES}
    read = "".join(f"\\getenv {name} {postgres_variable(role)}\n" for role, name in names.items())
    literals = {role: f":'{name}'" for role, name in names.items()}
    return _POSTGRES + "\\set ON_ERROR_STOP on\n" + read + postgres.roles_sql(literals)


def environment(secrets: credentials.Secrets) -> dict[str, str]:
    """Return the variables that `deploy/compose.yaml` names."""
    told = {"ASSAY_DEPLOYMENT": secrets.deployment, "ASSAY_OWNER": secrets.owner}
    told |= {nats_variable(user): password for user, password in secrets.nats.items()}
    told |= {postgres_variable(role): password for role, password in secrets.postgres.items()}
    told |= {f"ASSAY_S3_{name.upper()}": value for name, value in secrets.s3.items()}
    return told


def nats_variable(user: str) -> str:
    """Return the variable that holds the password of a NATS user."""
    return f"ASSAY_NATS_PASSWORD_{user.upper()}"


def postgres_variable(role: str) -> str:
    """Return the variable that holds the password of a Postgres role."""
    return f"ASSAY_POSTGRES_PASSWORD_{role.upper()}"


def main() -> int:
    """Do what the command line asks; return the exit code."""
    match sys.argv[1:]:
        case ["--environment", folder]:
            return _print_environment(Path(folder))
        case [folder] if not folder.startswith("-"):
            (Path(folder) / "nats" / "nats.conf").write_text(nats_config())
            (Path(folder) / "postgres" / "roles.sql").write_text(roles_sql())
            return 0
    print(__doc__, file=sys.stderr)
    return 2


def _print_environment(path: Path) -> int:
    folder = data_folder.find(path)
    try:
        data_folder.prepare(folder)
        secrets = credentials.load_or_make(folder)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    objects.write_identities(folder.path / "s3", secrets.s3)
    addresses = {name: f"{ports.HOST}:{port}" for name, port in PUBLISHED.items()}
    files.write_json(folder.endpoints, addresses, files.READABLE)
    print(f"ASSAY_DATA={folder.path}")
    for name, value in environment(secrets).items():
        print(f"{name}={value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
