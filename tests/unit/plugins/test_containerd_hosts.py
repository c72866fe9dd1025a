"""Nodes find the registry's names at one place, and only our files are ever removed."""

from __future__ import annotations

import pytest
from ansible.module_utils.changes import Change, Field
from ansible.module_utils.containerd_hosts import as_text, change, hosts_toml, name_problem

UPSTREAM = "http://r:5000"
OURS = hosts_toml(UPSTREAM)


def test_nothing_is_written_where_all_is_there() -> None:
    present = {"certs.d/localhost:5000/hosts.toml": OURS}
    assert not change(present, ["localhost:5000"], UPSTREAM)


def test_what_is_missing_or_different_is_written() -> None:
    present = {"certs.d/localhost:5000/hosts.toml": hosts_toml("http://old:5000")}
    found = change(present, ["localhost:5000", "mock.com:5000"], UPSTREAM)
    assert set(found.write) == {
        "certs.d/localhost:5000/hosts.toml",
        "certs.d/mock.com:5000/hosts.toml",
    }
    assert found.remove == []
    assert found.before == present


def test_a_diff_shows_the_files_of_a_node() -> None:
    text = as_text("node-1", {"certs.d/a:1/hosts.toml": b"one\n"})
    assert text == "node-1:/etc/containerd/certs.d/a:1/hosts.toml\none\n\n"


def test_a_name_that_is_no_longer_wanted_goes() -> None:
    present = {
        "certs.d/localhost:5000/hosts.toml": OURS,
        "certs.d/old.example:5000/hosts.toml": OURS,
        "certs.d/docker.io/hosts.toml": b'server = "https://mirror.example"\n',
    }
    found = change(present, ["localhost:5000"], UPSTREAM)
    assert found.write == {}
    assert found.remove == ["/etc/containerd/certs.d/old.example:5000"]


def test_each_file_is_a_change_of_its_node() -> None:
    present = {
        "certs.d/a:1/hosts.toml": b"theirs",
        "certs.d/old:1/hosts.toml": OURS,
    }
    found = change(present, ["a:1", "b:1"], UPSTREAM)
    folder = "n:/etc/containerd/certs.d"
    assert list(found.by_file("n")) == [
        Change(
            f"{folder}/a:1/hosts.toml",
            "update",
            fields=(Field("text", "theirs", OURS.decode()),),
        ),
        Change(f"{folder}/b:1/hosts.toml", "create", "there is none"),
        Change(f"{folder}/old:1/hosts.toml", "delete", "no such name is wanted"),
    ]


def test_no_names_remove_all_that_is_ours() -> None:
    present = {"certs.d/a:1/hosts.toml": OURS, "certs.d/docker.io/hosts.toml": b"theirs"}
    assert change(present, [], "").remove == ["/etc/containerd/certs.d/a:1"]


def test_a_pull_goes_nowhere_else() -> None:
    assert b'\nserver = "http://r:5000"\n' in OURS


def test_names_of_registries_are_taken() -> None:
    assert name_problem(["localhost:5000", "imooc_dev-registry:5000", "mock.com"]) == ""


@pytest.mark.parametrize("name", ["", "has space:1", "../up", "mock.com/path", "mock.com:port"])
def test_a_name_that_no_image_could_begin_with(name: str) -> None:
    assert repr(name) in name_problem(["mock.com:5000", name])
