"""Settings come from the environment; what is missing is named."""

import pytest

from assay_serve.settings import BadSettings, Settings

ENVIRON = {
    "ASSAY_SERVICE": "metadata",
    "ASSAY_LISTEN": "127.0.0.1:7001",
    "ASSAY_INTERNAL_LISTEN": "127.0.0.1:7601",
    "ASSAY_TLS_CERTIFICATE": "/data/identity/tls/metadata/certificate.pem",
    "ASSAY_TLS_KEY": "/data/identity/tls/metadata/key.pem",
    "ASSAY_TLS_CA": "/data/identity/tls/metadata/ca.pem",
    "ASSAY_NATS_URL": "nats://127.0.0.1:4222",
    "ASSAY_NATS_USER": "metadata",
    "ASSAY_NATS_PASSWORD": "tulip",
    "ASSAY_POSTGRES_URL": "postgres://metadata:tulip@127.0.0.1/metadata",
    "ASSAY_DEPLOYMENT": "7d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d",
    "ASSAY_OWNER": "5d0f6a52-8f0c-4d0e-9d3b-0e6f4a1c2b3d",
    "ASSAY_JWKS": "/data/identity/jwks.json",
    "ASSAY_SERVICE_KEY": "/data/identity/metadata.pem",
}


def test_all_that_is_needed_is_enough() -> None:
    settings = Settings.from_environ(ENVIRON)
    assert settings.service == "metadata"
    assert settings.postgres_owner_url == settings.postgres_url
    assert settings.peers == {}
    assert settings.objects.url == ""
    assert settings.telemetry_endpoint == ""


@pytest.mark.parametrize("name", ENVIRON)
def test_a_missing_variable_is_named(name: str) -> None:
    environ = {key: value for key, value in ENVIRON.items() if key != name}
    with pytest.raises(BadSettings) as caught:
        Settings.from_environ(environ)
    assert str(caught.value) == f"Set the environment variable {name}."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASSAY_LISTEN", "7001"),
        ("ASSAY_INTERNAL_LISTEN", "7601"),
        ("ASSAY_LISTEN", "127.0.0.1:x"),
        ("ASSAY_LISTEN", "127.0.0.1:70000"),
        ("ASSAY_DEPLOYMENT", "mine"),
        ("ASSAY_OWNER", "ann"),
        ("ASSAY_PEERS", "{"),
        ("ASSAY_PEERS", "[]"),
        ("ASSAY_PEERS", '{"audit": 1}'),
    ],
)
def test_a_value_that_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=name):
        Settings.from_environ({**ENVIRON, name: value})


def test_peers_and_the_object_store_are_read() -> None:
    settings = Settings.from_environ(
        {
            **ENVIRON,
            "ASSAY_PEERS": '{"audit": "127.0.0.1:7005"}',
            "ASSAY_S3_URL": "http://127.0.0.1:8333",
            "ASSAY_S3_BUCKET": "assay",
        }
    )
    assert settings.peers == {"audit": "127.0.0.1:7005"}
    assert settings.objects.bucket == "assay"


def test_no_secret_is_shown() -> None:
    environ = {**ENVIRON, "ASSAY_S3_SECRET_KEY": "tulip"}
    assert "tulip" not in repr(Settings.from_environ(environ))
