"""What the operator benchmark sees, calls right, computes and writes down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from imooc_operator.kinds.imoocpod.api import ImoocPod, ImoocPodSpec
from imooc_operator.kinds.imoocpod.template import PodTemplate

from benchmarks import page
from benchmarks.operator import faults, plot, report, summary, table
from benchmarks.operator.life import served
from benchmarks.operator.lineup import PEERS
from benchmarks.operator.observer import Change, Late, Observer, pods_over_time, replacements
from benchmarks.operator.process import Ended, Process
from benchmarks.operator.table import Goal, Row
from benchmarks.operator.workload import IMOOCPODS, POD, REPLICA_SETS, Status

METRICS = """\
# HELP apiserver_request_total Counter of requests
apiserver_request_total{code="201",resource="pods",subresource="",verb="POST"} 3
apiserver_request_total{code="200",resource="imoocpods",subresource="status",verb="PATCH"} 1e+00
apiserver_request_total{code="201",resource="events",subresource="",verb="POST"} 2
apiserver_request_total{code="200",resource="pods",subresource="",verb="WATCH"} 9
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 9
apiserver_request_total{code="200",resource="replicasets",subresource="",verb="GET"} 9
"""


def owner(kind: str = "ADDED", replicas: int = 2, **status: Any) -> bytes:
    meta = {"name": "web", "uid": "u", "resourceVersion": "7", "generation": 1}
    spec = {"replicas": replicas}
    event = {"type": kind, "object": {"metadata": meta, "spec": spec, "status": status}}
    return json.dumps(event).encode()


def pod(name: str, kind: str = "ADDED", **meta: Any) -> bytes:
    references = [{"uid": "other"}, {"uid": "u", "controller": True}]
    meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": "8"} | meta
    event = {"type": kind, "object": {"metadata": {**meta, "ownerReferences": references}}}
    return json.dumps(event).encode()


def status(replicas: int, *names: str) -> dict[str, Any]:
    return {"replicas": replicas, "podNames": list(names), "observedGeneration": 1}


def seen(*lines: bytes) -> Observer:
    observer = Observer(IMOOCPODS)
    for at, line in enumerate(lines):
        (observer.take_pod if b"ownerReferences" in line else observer.take_owner)(line, float(at))
    return observer


def owner_saying(replicas: int, *names: str) -> bytes:
    meta = {"name": "web", "uid": "u", "resourceVersion": "9", "generation": 1}
    spec = {"replicas": 2}
    event = {"metadata": meta, "spec": spec, "status": status(replicas, *names)}
    return json.dumps({"type": "MODIFIED", "object": event}).encode()


def test_an_owner_is_right_once_its_status_names_the_pods_there_are() -> None:
    observer = seen(owner(), pod("a"), pod("b"))
    assert (observer.right, observer.pod_count) == (0, 2)
    observer.take_owner(owner_saying(2, "b", "a"), 3.0)
    assert observer.right == 1
    observer.take_pod(pod("b", "DELETED"), 4.0)
    assert (observer.right, observer.pod_count) == (0, 1)
    assert [change.what for change in observer.changes] == [
        "pod", "pod", "right", "pod gone", "wrong",
    ]  # fmt: skip


def test_pods_may_be_seen_before_their_owner_and_end_only_once() -> None:
    observer = seen(
        pod("a"),
        pod("b"),
        owner_saying(2, "a", "b"),
        pod("a", "MODIFIED", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("a", "DELETED"),
    )
    assert (observer.right, observer.pod_count) == (0, 1)


def test_a_pod_too_many_is_remembered() -> None:
    observer = seen(owner(), pod("a"), pod("b"), pod("c"), pod("c", "DELETED"))
    assert observer.most_over == 1
    observer.clear()
    assert (observer.most_over, observer.changes, observer.pod_count) == (0, [], 2)


def test_an_owner_that_is_gone_is_not_right_any_more() -> None:
    observer = seen(pod("a"), pod("b"), owner_saying(2, "a", "b"), owner("DELETED"))
    assert (observer.right, observer.owners) == (0, {})


def test_waiting_ends_when_the_peer_does() -> None:
    def ended() -> None:
        raise Ended("it ended with 1")

    observer = Observer(IMOOCPODS, alive=ended)
    with pytest.raises(Ended):
        observer.until(lambda: False, 60, "nothing")
    observer.alive = lambda: None
    with pytest.raises(Late, match="not within 0 s: pods are there; 0 owners"):
        observer.until(lambda: False, 0, "pods are there")


@pytest.mark.parametrize(
    ("workload", "known", "right"),
    [
        (IMOOCPODS, Status(2, 3, ["b", "a"]), True),
        (IMOOCPODS, Status(2, 2, ["b", "a"]), False),
        (IMOOCPODS, Status(1, 3, ["b", "a"]), False),
        (IMOOCPODS, Status(2, 3, ["b", "c"]), False),
        (REPLICA_SETS, Status(2, 3), True),
        (REPLICA_SETS, Status(1, 3), False),
    ],
)
def test_right_is_of_this_generation_and_names_pods(
    workload: Any, known: Status, right: bool
) -> None:
    assert workload.right(2, 3, known, ["a", "b"]) is right


def test_peers_make_the_pods_that_ours_makes() -> None:
    cr = ImoocPod("bench", "web", "u", 1, 1, False, ImoocPodSpec(replicas=3), "", None)
    assert cr.spec is not None
    ours = json.loads(PodTemplate(cr, cr.spec, "busybox:1.37").body("web-pod-x"))
    shared = json.loads(POD.read_text())
    assert ours["spec"] == shared["spec"]
    assert ours["metadata"]["annotations"] == shared["metadata"]["annotations"]
    template = json.loads(REPLICA_SETS.body("web", 3))["spec"]["template"]
    assert template["spec"] == ours["spec"]
    assert template["metadata"]["labels"] == ours["metadata"]["labels"]


def test_replacements_are_counted_from_the_loss_to_the_last_right_of_the_same_owner() -> None:
    changes = [
        Change(1.0, "pod gone", "u", "a"),
        Change(1.0, "wrong", "u"),
        Change(1.1, "pod", "other", "x"),
        Change(1.2, "pod", "u", "b"),
        Change(1.3, "right", "u"),
        Change(1.35, "wrong", "u"),
        Change(1.4, "right", "u"),
        Change(2.0, "pod gone", "v", "c"),
        Change(2.5, "pod", "v", "d"),
        Change(2.75, "right", "v"),
    ]
    spans = [(round(come, 3), round(right, 3)) for come, right in replacements(changes)]
    assert spans == [(0.2, 0.4), (0.5, 0.75)]


def test_pods_over_time_thins_out_and_keeps_the_end() -> None:
    changes = [Change(10 + n / 10, "pod", "u", str(n)) for n in range(1000)]
    points = pods_over_time(changes, 10.0, steps=10)
    assert len(points) == 10
    assert points[-1] == [99.9, 1000]


def test_requests_are_those_for_the_workload_pods_and_events() -> None:
    assert served(METRICS, IMOOCPODS) == 6


ROUNDS: list[dict[str, dict[str, Any]]] = [
    {"ours": {"P1_s": 4.0, "P4_requests": 4.003}, "go10": {"P1_s": 5.0}, "floor": {"P1_s": 4.0}},
    {"ours": {"P1_s": 9.0}, "go10": {"P1_s": 10.0}, "floor": {"P1_s": 6.0}},
    {"ours": {"P1_s": 4.5}, "go10": {"P1_s": 5.0}},
]


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    read = table.plain("P1_s")
    assert table.ratio(ROUNDS, read, "go10") == pytest.approx(0.9)
    assert table.ratio(ROUNDS, read, "floor") == pytest.approx(1.25)
    assert table.ratio(ROUNDS, read, "kopf") is None
    assert table.medians(ROUNDS, read) == {"ours": 4.5, "go10": 5.0, "floor": 5.0}


def test_the_summary_names_rows_and_peers_that_there_are() -> None:
    assert summary.ROWS.keys() <= {row.measure for row in table.ROWS}
    assert summary.PEERS.keys() <= {peer.name for peer in PEERS}
    for path in summary.PAGES:
        assert "<!-- operator:begin -->" in path.read_text()


def test_a_missed_goal_is_bold() -> None:
    row = Row("P1", table.plain("P1_s"), 2, (Goal(1.25, "floor"), Goal(0.85, "go10"), Goal(4)))
    assert table.verdict(ROUNDS, row) == "1.25 floor, **0.90 go10**, **4.50**"
    requests = Row("P4", table.plain("P4_requests"), 2, (Goal(4),))
    assert table.verdict(ROUNDS, requests) == "4.00"


def test_a_run_is_kept_raw_as_plots_and_in_the_page_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("above\n<!-- operator:begin -->\nold\n<!-- operator:end -->\nbelow\n")
    monkeypatch.setattr(page, "PAGE", readme)
    twins: dict[summary.Language, Path] = {"en": tmp_path / "en.md", "zh": tmp_path / "zh.md"}
    for path in twins.values():
        path.write_text(readme.read_text())
    monkeypatch.setattr(summary, "PAGES", {path: language for language, path in twins.items()})
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    life = {
        "P1_s": 4.0,
        "P1_pods_over_time": [[1.0, 30], [2.0, 60]],
        "P2_replaced_ms": [2.0, 3.0, 4.0],
        "P6_nothing_mib": 29.0,
        "P6_small_mib": 33.0,
        "P6_large_mib": 39.0,
    }
    sizes = {"owners": 1000, "deletions": 3, "vanished": 9, "idle": 60.0, "events": 10}
    result = {
        "date": "2026-11-24T20:15:00+00:00",
        "machine": {"cpus": 2, "kernel": "6"},
        "versions": {"kubernetes": "k", "etcd": "e", "go": "g", "python": "3"},
        "peers": {"ours": "the operator", "go10": "another"},
        "measures": ["P1", "P2", "P6"],
        "missing": ["P5", "kopf"],
        "sizes": {**sizes, "pods": 10_000, "scaled": 5},
        "rounds": [
            {
                "ours": life,
                "go10": {**life, "P1_s": 5.0, "late": {"P7": "not within 300 s: a pod; 1 owner"}},
            }
        ],
    }

    report.write(result)

    kept = tmp_path / "results"
    assert json.loads((kept / "2026-11-24T2015.json").read_text()) == result
    for name in ("latency", "pods", "memory"):
        svg = ET.parse(kept / f"2026-11-24T2015-{name}.svg")  # noqa: S314 - we wrote it
        assert len(svg.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    text = readme.read_text()
    assert "| P1 from zero until all is right, s | 4.00 | 5.00 |" in text
    assert "0.80 go10 |" in text
    assert "operator/results/2026-11-24T2015-memory.svg" in text
    assert "1,000 objects of 3 pods each, 3 deletions (P2). Not in this run: P5, kopf." in text
    assert " go10, P7: not within 300 s: a pod. " in text
    assert "(P5)" not in text, "of what was not measured no amount is told"
    english, chinese = (twins[language].read_text() for language in ("en", "zh"))
    assert "| | **ours** | controller-runtime |\n" in english
    assert "| 1,000 objects, 3,000 pods from zero, s | 4.00 | 5.00 |\n" in english
    assert "2026-11-24, medians of 1 alternating rounds, 2 CPUs, k, e, g, Python 3." in english
    assert english.count("|") == chinese.count("|"), "the same table"
    assert text.startswith("above\n")
    assert text.endswith("<!-- operator:end -->\nbelow\n")


@pytest.mark.parametrize(
    ("greatest", "expected"),
    [(4.2, [0, 1, 2, 3, 4, 5]), (10, [0, 2, 4, 6, 8, 10]), (0.07, [0, 0.02, 0.04, 0.06, 0.08])],
)
def test_ticks_are_round_and_reach_beyond_the_greatest(
    greatest: float, expected: list[float]
) -> None:
    assert plot.ticks(greatest) == expected


def test_a_process_is_measured_and_its_end_is_noticed(tmp_path: Path) -> None:
    program = "import time; sum(range(10**7)); print('done', flush=True); time.sleep(60)"
    process = Process([sys.executable, "-c", program], tmp_path / "log", {"LANG": "C"})
    deadline = time.monotonic() + 30
    while "done" not in (tmp_path / "log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    used = process.settled_cpu(0.3)
    assert used > 0
    assert abs(process.cpu_fine() - used) < 0.05
    assert process.resident() > 1
    process.kill()
    with pytest.raises(Ended):
        process.cpu()


def test_decoding_is_measured_on_the_operators_own_informer(tmp_path: Path) -> None:
    owner = {"apiVersion": "k8s.imooc.com/v1alpha1", "kind": "ImoocPod", "name": "web", "uid": "u"}
    meta = {"namespace": "bench", "ownerReferences": [{**owner, "controller": True}]}
    given = {"metadata": meta, "spec": {}, "status": {"phase": "Pending"}}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.operator.micro"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env=os.environ,
    )
    assert float(done.stdout) > 0


def test_a_run_that_fails_is_counted_with_its_reason() -> None:
    async def fine() -> None: ...

    async def wrong() -> None:
        raise AssertionError("one pod too many\nat write 3")

    tally = faults.Tally()
    for number, job in enumerate((fine, wrong), start=1):
        with pytest.raises(StopIteration):  # its end: nothing in it waits, so no loop is needed
            tally.count("crash: W1", f"write {number}", job).send(None)

    assert (dict(tally.runs), dict(tally.passed)) == ({"crash: W1": 2}, {"crash: W1": 1})
    reason = "one pod too many at write 3"
    assert tally.failures == [{"plan": "crash: W1", "run": "write 2", "reason": reason}]


def test_the_counts_of_all_peers_are_summed() -> None:
    ours = {"runs": {"crash: W1": 12, "crash: W11": 9}, "passed": {"crash: W1": 12}}
    other = {"runs": {"crash: W1": 15}, "passed": {"crash: W1": 10}}
    assert faults.text({"peers": {"ours": ours, "go10": other}}).splitlines() == [
        "| plan | ours | go10 |",
        "| --- | ---: | ---: |",
        "| crash: W1 | 12 of 12 | 10 of 15 |",
        "| crash: W11 | 0 of 9 |  |",
        "| all | 12 of 21 | 10 of 15 |",
    ]
