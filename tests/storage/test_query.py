"""What is asked of a real etcd is what comes back: ranges, pages, orders, the past, odd keys."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import etcd_names, kube_discovery
from ansible.module_utils.etcd_question import EtcdError, Question, Range, key_text

from tests.storage.cluster import Cluster

ROOT = Path(__file__).parents[2]
TEN = [f"/ten/{number:02}" for number in range(10)]
ODD = [b"/odd/\xff\xfe", b"/odd/\x00", b"/odd/ a\"b'c\\d\n", "/odd/ключ".encode(), b"/odd/--rev=1"]
MANY = 100_000
FEW = 1_000


@pytest.fixture(scope="session")
def filled(cluster: Cluster) -> Cluster:
    """The cluster with some keys of our own, the later ones of which were written first."""
    cluster.put((key.encode(), key.encode()) for key in reversed(TEN))
    cluster.put((key, key) for key in ODD)
    return cluster


def keys(cluster: Cluster, question: Question) -> list[str]:
    """Return the keys of an answer."""
    return [entry.key for entry in cluster.ask(question)[0]]


def test_every_kind_is_found_by_its_name(cluster: Cluster) -> None:
    resources = list(kube_discovery.resources(cluster.client))
    stored = {entry.key for entry in cluster.entries("/registry/")}
    missing = []
    for resource in resources:
        if "list" not in resource.verbs:
            continue
        for obj in cluster.client.list(resource.path):
            metadata = obj["metadata"]
            if "uid" not in metadata:
                continue  # component statuses are not stored
            where = [metadata["namespace"]] if resource.namespaced else []
            name = "/".join([f"{resource.kind}.{resource.group}", *where, metadata["name"]])
            found = etcd_names.find(name, "", "default", resources)
            if key_text(found.start) not in stored:
                missing.append(name)
    assert not missing


def test_ranges_keys_and_prefixes(filled: Cluster) -> None:
    assert keys(filled, Question((Range.key("/ten/03"),))) == ["/ten/03"]
    assert keys(filled, Question((Range.between("/ten/03", "/ten/05"),))) == TEN[3:5]
    assert keys(filled, Question((Range.between("/ten/08", ""),))) == TEN[8:]
    both = (Range.prefix("/ten/0"), Range.key("/ten/01"), Range.prefix("/odd/"))
    assert sorted(keys(filled, Question(both))) == sorted([*map(key_text, ODD), *TEN])


def test_without_values(filled: Cluster) -> None:
    (entry,) = filled.ask(Question((Range.key("/ten/03"),), keys_only=True))[0]
    assert (entry.key, entry.raw) == ("/ten/03", b"")


def test_pages_follow_each_other_to_the_end(filled: Cluster) -> None:
    part: Range | None = Range.prefix("/ten/")
    seen, sizes, revision = [], [], 0
    while part:
        entries, answer = filled.ask(Question((part,), limit=4, revision=revision))
        seen += [entry.key for entry in entries]
        sizes.append((len(entries), answer.more))
        revision = answer.revision
        part = part.after(entries[-1].key) if answer.more else None
    assert seen == TEN
    assert sizes == [(4, True), (4, True), (2, False)]


def test_orders(filled: Cluster) -> None:
    ten = (Range.prefix("/ten/"),)
    assert keys(filled, Question(ten, descending=True)) == TEN[::-1]
    newest = Question(ten, sort="created", limit=2, descending=True)
    assert set(keys(filled, newest)) <= set(TEN)
    filled.put([(b"/ten/04", b"again")])
    assert keys(filled, Question(ten, sort="modified", limit=1, descending=True)) == ["/ten/04"]
    assert keys(filled, Question(ten, sort="version", limit=1, descending=True)) == ["/ten/04"]


def test_the_past(filled: Cluster) -> None:
    one = (Range.key("/past"),)
    filled.put([(b"/past", b"old")])
    (old,) = filled.ask(Question(one))[0]
    filled.put([(b"/past", b"new")])
    then = filled.ask(Question(one, revision=old.mod_revision))[0]
    assert [entry.raw for entry in then] == [b"old"]
    assert [entry.raw for entry in filled.ask(Question(one))[0]] == [b"new"]
    with pytest.raises(EtcdError, match="ask for an earlier revision"):
        filled.ask(Question(one, revision=10**11))
    result = queried(filled, keys=["/past"], revision=old.mod_revision)
    assert (result["revision"], result["read"]) == (old.mod_revision, 1)
    filled.etcd("kv/compaction", {"revision": old.mod_revision + 1})
    with pytest.raises(EtcdError, match="ask for a later revision"):
        filled.ask(Question(one, revision=old.mod_revision))


def test_odd_keys_are_told_and_found_by_what_is_told(filled: Cluster) -> None:
    told = keys(filled, Question((Range.prefix("/odd/"),)))
    assert sorted(told) == sorted(map(key_text, ODD))
    for text in told:
        (entry,) = filled.ask(Question((Range.key(text),)))[0]
        assert key_text(entry.raw) == text


def test_values_of_a_megabyte(filled: Cluster) -> None:
    for number in range(3):
        filled.put([(f"/large/{number}".encode(), bytes([number]) * 1_000_000)])
    sizes = [len(entry.raw) for entry in filled.entries("/large/")]
    assert sizes == [1_000_000] * 3


# Runs the module by itself, and tells the most memory it took, in KiB.
MODULE = """
import contextlib, importlib.util, json, resource, sys
import ansible.module_utils
from ansible.module_utils.testing import patch_module_args
ansible.module_utils.__path__.append(sys.argv[1] + "/module_utils")
spec = importlib.util.spec_from_file_location("module", sys.argv[1] + "/modules/etcd_query.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with patch_module_args(json.loads(sys.argv[2])), contextlib.suppress(SystemExit):
    module.main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.fixture(scope="session")
def many(cluster: Cluster) -> Cluster:
    """The cluster with as many ConfigMaps as a large one has, in etcd only."""
    (sample,) = cluster.entries("/registry/configmaps/sample/sample")
    names = (f"/many/configmaps/default/{number:06}".encode() for number in range(MANY))
    cluster.put((name, sample.raw) for name in names)
    return cluster


def queried(cluster: Cluster, **options: Any) -> dict[str, Any]:
    """Return what the module returns, and the most memory it took in KiB."""
    arguments = {
        "kubeconfig": str(cluster.plane.folder / "admin.kubeconfig"),
        "kubectl": str(cluster.kubectl),
        **options,
    }
    command = [sys.executable, "-c", MODULE, str(ROOT / "plugins"), json.dumps(arguments)]
    told = subprocess.run(command, check=True, capture_output=True, timeout=300).stdout
    result, memory = told.strip().splitlines()
    return {**json.loads(result), "memory": int(memory)}


@pytest.mark.parametrize("show", ["keys", "values", "json", "counts"])
def test_an_answer_of_any_size_takes_no_memory(many: Cluster, tmp_path: Path, show: str) -> None:
    file = tmp_path / "all"
    options = {"prefixes": ["/many/"], "show": show, "file": str(file)}
    few = queried(many, **options, limit=FEW)
    assert (few["read"], few["total"], few["entries"]) == (FEW, MANY, [])
    assert few["next"] == f"/many/configmaps/default/{FEW - 1:06}"
    all_of_them = queried(many, **options, limit=0)
    assert (all_of_them["read"], all_of_them["next"]) == (MANY, "")
    assert all_of_them["memory"] - few["memory"] < 5 * 1024
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert show == "counts" or text.count("/many/configmaps/default/") == MANY


def test_a_file_is_written_whole_or_not_at_all(filled: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "all"
    options = {"prefixes": ["/ten/"], "show": "json", "file": str(file)}
    assert queried(filled, **options)["changed"] is True
    assert queried(filled, **options)["changed"] is False
    before = file.read_text()
    failed = queried(filled, **options, revision=10**11)
    assert failed["failed"] is True
    assert "ask for an earlier revision" in failed["msg"]
    assert [path.name for path in tmp_path.iterdir()] == ["all"]
    assert file.read_text() == before
