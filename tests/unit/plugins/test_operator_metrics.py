"""What is read out of the operator's metrics."""

from __future__ import annotations

import pytest
from ansible.module_utils import operator_metrics

LEADER = """\
# HELP leader_election_master_status 1 while this process holds the lease.
# TYPE leader_election_master_status gauge
leader_election_master_status{name="imoocpod-operator"} 1
process_resident_memory_bytes 31182848
process_cpu_seconds_total 0.365833325
controller_runtime_reconcile_total{controller="imoocpod",result="success"} 20
controller_runtime_reconcile_total{controller="other",result="success"} 3
controller_runtime_reconcile_total{controller="imoocpod",result="error"} 2
controller_runtime_reconcile_time_seconds_bucket{controller="imoocpod",le="0.001"} 19
controller_runtime_reconcile_time_seconds_bucket{controller="imoocpod",le="0.1"} 24
controller_runtime_reconcile_time_seconds_bucket{controller="imoocpod",le="+Inf"} 25
controller_runtime_reconcile_time_seconds_sum{controller="imoocpod"} 0.164566615
controller_runtime_reconcile_time_seconds_count{controller="imoocpod"} 25
workqueue_depth{name="imoocpod"} 0
workqueue_adds_total{name="imoocpod"} 25
workqueue_retries_total{name="imoocpod"} 2
workqueue_longest_running_processor_seconds{name="imoocpod"} 0.25
rest_client_requests_total{method="PATCH",code="200"} 95
imooc_watch_age_seconds{resource="imoocpods",scope="default"} 58.72
imooc_watch_age_seconds{resource="pods",scope="a \\"quoted, odd\\" one"} 59.12
"""
STANDBY = """\
leader_election_master_status{name="imoocpod-operator"} 0
workqueue_depth{name="imoocpod"} 1
workqueue_adds_total{name="imoocpod"} 1
"""


def test_a_replica_tells_of_itself() -> None:
    assert operator_metrics.of_replica(LEADER) == {
        "memory_bytes": 31182848,
        "cpu_seconds": 0.37,
        "watch_age_seconds": 59.1,
    }
    assert operator_metrics.of_replica("")["watch_age_seconds"] is None


def test_the_one_that_leads_tells_of_the_work() -> None:
    told = operator_metrics.of_leader([STANDBY, LEADER])
    assert told["passes"] == {"error": 2, "success": 23}
    assert told["queue"] == {"depth": 0, "added": 25, "retried": 2, "oldest_pass_seconds": 0.25}
    assert told["requests"] == {"PATCH 200": 95}
    assert told["pass_seconds"] == {
        "count": 25,
        "sum": 0.164567,
        "buckets": [
            {"within": 0.001, "count": 19},
            {"within": 0.1, "count": 24},
            {"within": None, "count": 25},
        ],
    }


def test_where_none_leads_the_work_waits() -> None:
    assert operator_metrics.of_leader([STANDBY, STANDBY])["queue"]["depth"] == 2


@pytest.mark.parametrize(
    ("share", "bound"), [(0.5, 0.001), (0.76, 0.001), (0.77, 0.1), (0.96, 0.1), (0.99, None)]
)
def test_a_share_stays_within_a_bound(share: float, bound: float | None) -> None:
    told = operator_metrics.of_leader([LEADER])
    assert operator_metrics.within(told["pass_seconds"], share) == bound


def test_nothing_counted_has_no_bound() -> None:
    assert operator_metrics.within(operator_metrics.of_leader([])["pass_seconds"], 0.5) is None


def test_labels_may_hold_anything() -> None:
    (sample,) = [s for s in operator_metrics.parse(LEADER) if s.labels.get("resource") == "pods"]
    assert sample.labels["scope"] == 'a \\"quoted, odd\\" one'
