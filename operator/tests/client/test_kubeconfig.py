"""Finding the API server and who we are to it."""

import base64
import copy
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from imooc_operator.client.config import TOKEN_TTL, ConfigError, Token, in_cluster
from imooc_operator.client.kubeconfig import load_kubeconfig


@pytest.fixture(scope="module")
def pem() -> tuple[str, str]:
    """A certificate of its own and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write(
    path: Path,
    *,
    current: str | None = "c",
    server: str = "https://h:6443/base/",
    cluster: dict[str, object] | None = None,
    user: dict[str, object] | None = None,
) -> Path:
    content = {
        "clusters": [{"name": "k", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }
    path.write_text(yaml.safe_dump(content | ({"current-context": current} if current else {})))
    return path


def test_certificates_as_data(tmp_path: Path, pem: tuple[str, str]) -> None:
    chain, key = pem
    path = write(
        tmp_path / "config",
        cluster={"certificate-authority-data": b64(chain)},
        user={"client-certificate-data": b64(chain), "client-key-data": b64(key)},
    )
    config = load_kubeconfig([path])
    assert (config.host, config.port, config.base_path) == ("h", 6443, "/base")
    assert config.tls is not None
    assert config.tls.check_hostname
    assert config.tls.cert_store_stats()["x509"] == 1


def test_files_are_relative_to_the_kubeconfig(tmp_path: Path, pem: tuple[str, str]) -> None:
    chain, key = pem
    (tmp_path / "ca.pem").write_text(chain)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "token").write_text("secret\n")
    path = write(
        tmp_path / "config",
        cluster={"certificate-authority": "ca.pem", "tls-server-name": "other"},
        user={"client-certificate": "ca.pem", "client-key": "key.pem", "tokenFile": "token"},
    )
    config = load_kubeconfig([path])
    assert config.server_name == "other"
    assert config.token.header(0.0) == "Authorization: Bearer secret\r\n"


def test_the_first_of_several_files_wins_and_missing_ones_are_skipped(tmp_path: Path) -> None:
    first = write(tmp_path / "a", current=None, server="http://first:1")
    second = write(tmp_path / "b", server="http://second:2")
    assert load_kubeconfig([tmp_path / "none", first, second]).host == "first"


def test_a_context_by_name_needs_no_current_one(tmp_path: Path) -> None:
    path = write(tmp_path / "config", current=None)
    assert load_kubeconfig([path], "c").host == "h"
    with pytest.raises(ConfigError, match="no context named 'x'"):
        load_kubeconfig([path], "x")


def test_no_verification_only_when_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "config", cluster={"insecure-skip-tls-verify": True})
    config = load_kubeconfig([path])
    assert config.tls is not None
    assert not config.tls.check_hostname


MISTAKES = [
    pytest.param({"current": None}, "no current-context", id="no context"),
    pytest.param({"current": "x"}, "no context named 'x'", id="unknown context"),
    pytest.param({"server": "h:6443"}, "is not an http", id="no URL"),
    pytest.param({"server": "https://h:99999"}, "is no URL", id="no port"),
    pytest.param({"user": {"auth-provider": {}}}, "'auth-provider'", id="auth provider"),
    pytest.param(
        {"user": {"client-certificate-data": b64("x")}}, "must come together", id="no key"
    ),
    pytest.param(
        {"user": {"client-certificate-data": "?", "client-key-data": "?"}},
        "cannot read client-certificate",
        id="not base64",
    ),
    pytest.param(
        {"user": {"client-certificate": "gone", "client-key": "gone"}}, "gone", id="file missing"
    ),
    pytest.param(
        {"cluster": {"certificate-authority-data": b64("no certificate")}},
        "unusable certificate",
        id="no certificate",
    ),
    pytest.param({"user": {"tokenFile": "gone"}}, "cannot read the token", id="token missing"),
]


@pytest.mark.parametrize(("content", "message"), MISTAKES)
def test_a_mistake_is_one_line(tmp_path: Path, content: dict[str, object], message: str) -> None:
    path = write(tmp_path / "config", **content)  # type: ignore[arg-type]  # the table names its fields
    with pytest.raises(ConfigError, match=message) as error:
        load_kubeconfig([path])
    assert "\n" not in str(error.value)


WHOLE: dict[str, Any] = {
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "n"}}],
    "clusters": [
        {
            "name": "k",
            "cluster": {
                "server": "https://h:1",
                "certificate-authority": "ca",
                "certificate-authority-data": "YQ==",
                "insecure-skip-tls-verify": True,
                "tls-server-name": "other",
            },
        }
    ],
    "users": [{"name": "u", "user": {}}],
}
USERS: list[dict[str, Any]] = [
    {"token": "t"},
    {"tokenFile": "token"},
    {"client-certificate": "chain", "client-key": "key"},
    {"client-certificate-data": "YQ==", "client-key-data": "YQ=="},
    {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/nonexistent",
            "args": ["a"],
            "env": [{"name": "a", "value": "b"}],
            "installHint": "h",
        }
    },
]
WRONG: tuple[Any, ...] = (
    None,
    True,
    5,
    "text",
    "\0",
    "ü",
    "https://[::1",
    "binary",
    [],
    [None],
    {},
    {"a": 1},
)


def places(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Return where in `value` there is something that can be wrong."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in items:
        yield (*path, name)
        if isinstance(item, dict | list):
            yield from places(item, *path, name)


@pytest.mark.parametrize("user", USERS, ids=[next(iter(user)) for user in USERS])
def test_whatever_is_wrong_anywhere_is_one_line(tmp_path: Path, user: dict[str, Any]) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    whole = WHOLE | {"users": [{"name": "u", "user": user}]}
    messages = []
    for *path, last in places(whole):
        for wrong in WRONG:
            content = copy.deepcopy(whole)
            place: Any = content
            for name in path:
                place = place[name]
            place[last] = wrong
            (tmp_path / "config").write_text(yaml.safe_dump(content))
            try:
                load_kubeconfig([tmp_path / "config"])
            except ConfigError as error:
                messages.append(str(error))
    assert messages
    assert [message for message in messages if "\n" in message] == []


def test_a_kubeconfig_that_may_not_be_looked_for_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read kubeconfig"):
        load_kubeconfig([tmp_path / ("long" * 100)])


@pytest.mark.parametrize("text", ["{unclosed", "just text", "\x00"])
def test_what_is_no_kubeconfig_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match="cannot read kubeconfig") as error:
        load_kubeconfig([path])
    assert "\n" not in str(error.value)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kubeconfig at"):
        load_kubeconfig([tmp_path / "none"])


def test_a_rotated_token_is_read_in_time_or_at_once_when_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    token = Token(path=path)
    assert "one" in token.header(0.0)
    path.write_text("two")
    assert "one" in token.header(TOKEN_TTL - 1)
    token.expire()
    assert "two" in token.header(TOKEN_TTL - 1)
    path.write_text("three")
    assert "three" in token.header(2 * TOKEN_TTL + 1)
    path.unlink()
    assert "three" in token.header(9 * TOKEN_TTL)


def test_in_cluster(tmp_path: Path, pem: tuple[str, str]) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text(pem[0])
    (tmp_path / "namespace").write_text("home")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    config = in_cluster(environ.get, tmp_path)
    assert config is not None
    assert (config.host, config.port, config.namespace) == ("fd00::1", 443, "home")
    assert in_cluster(lambda name: None, tmp_path) is None
