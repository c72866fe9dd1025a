"""Flags and environment."""

from pathlib import Path

import pytest

from imooc_operator.settings import Settings, parse


def test_defaults() -> None:
    assert parse([], {}) == Settings(
        namespaces=(),
        pod_image="busybox:1.37",
        kubeconfig=(),
        context="",
        metrics_address=":8080",
        health_address=":8081",
        leader_elect=False,
        dry_run=False,
        log_format="json",
        log_level="info",
    )


def test_the_environment_is_read() -> None:
    environ = {"WATCH_NAMESPACES": "a, b,a,", "POD_IMAGE": "i", "KUBECONFIG": "/x:/y"}
    settings = parse([], environ)
    assert settings.namespaces == ("a", "b")
    assert settings.pod_image == "i"
    assert settings.kubeconfig == (Path("/x"), Path("/y"))


def test_flags_win() -> None:
    environ = {"WATCH_NAMESPACES": "a", "POD_IMAGE": "i"}
    settings = parse(["--namespaces=", "--pod-image=j", "--metrics-bind-address=0"], environ)
    assert (settings.namespaces, settings.pod_image) == ((), "j")
    assert settings.metrics_address == "0"


def test_a_single_namespace_may_be_called_one() -> None:
    assert parse(["--namespace", "a"], {}).namespaces == ("a",)


MISTAKES = [
    pytest.param(["--namespaces", "Not_One"], "'Not_One' is not a namespace name", id="namespace"),
    pytest.param(["--pod-image", "a b"], "'a b' is not an image reference", id="image"),
    pytest.param(["--metrics-bind-address", "8080"], "is not host:port", id="address"),
    pytest.param(["--health-probe-bind-address", ":70000"], "is not host:port", id="port"),
    pytest.param(["--log-format", "xml"], "invalid choice", id="choice"),
    pytest.param(["--colour"], "unrecognized arguments: --colour", id="unknown flag"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments, {})
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"], {})
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for flag in ("namespaces", "pod-image", "kubeconfig", "metrics-bind-address", "version"):
        assert f"--{flag}" in text
    assert "WATCH_NAMESPACES" in text
