"""Every branch of the plan, as a table."""

from typing import Any, cast

import pytest

from imooc_operator.kinds.imoocpod.api import ImoocPodStatus
from imooc_operator.kinds.imoocpod.observe import Failure, Observed
from imooc_operator.kinds.imoocpod.plan import Action, CreatePod, DeletePod, SetStatus, plan
from imooc_operator.kinds.imoocpod.status import status_of
from support.builders import cr, pod, seen, with_status


def shape(actions: tuple[Action, ...]) -> list[str]:
    """Return the actions in short form; names of new pods are left out."""
    words = []
    for action in actions:
        match action:
            case CreatePod():
                words.append("create")
            case DeletePod():
                words.append(f"{action.why}:{action.pod.name}")
            case SetStatus():
                words.append("status")
    return words


OLD: dict[str, Any] = {"template": "of-old"}

CASES = [
    pytest.param(seen(None), [], id="no ImoocPod"),
    pytest.param(seen(cr(deleting=True)), [], id="ImoocPod being deleted"),
    pytest.param(seen(cr(2)), ["create", "create"], id="all missing at once"),
    pytest.param(seen(cr(2), pod("a")), ["create"], id="one missing"),
    pytest.param(seen(cr(1), pod("a")), ["status"], id="pods right, status not"),
    pytest.param(seen(cr(0)), ["status"], id="zero wanted"),
    pytest.param(seen(cr(0), pod("a")), ["surplus:a"], id="down to zero"),
    pytest.param(
        seen(cr(1), pod("a", terminating=True)), ["create"], id="terminating never counts"
    ),
    pytest.param(
        seen(cr(0), pod("a", terminating=True)), ["status"], id="terminating is not deleted again"
    ),
    pytest.param(
        seen(cr(1), pod("a", phase="Failed")), ["finished:a", "create"], id="failed is replaced"
    ),
    pytest.param(
        seen(cr(1), pod("a", phase="Succeeded")),
        ["finished:a", "create"],
        id="succeeded is replaced",
    ),
    pytest.param(
        seen(cr(0), pod("a", phase="Failed", terminating=True)),
        ["status"],
        id="a finished pod is cleaned up once",
    ),
    pytest.param(seen(cr(1), pod("a", phase="Unknown")), ["create"], id="unknown does not count"),
    pytest.param(
        seen(cr(1), pod("a"), pod("b", phase="Failed")),
        ["finished:b"],
        id="clean-up without replacement",
    ),
    pytest.param(
        seen(cr(2), pod("a", **OLD), pod("b", **OLD)), ["outdated:a"], id="rolling: one at a time"
    ),
    pytest.param(
        seen(cr(2), pod("a", ready=False), pod("b", **OLD)),
        ["status"],
        id="rolling: waits for the new one",
    ),
    pytest.param(
        seen(cr(3), pod("a", ready=False, **OLD), pod("b", **OLD), pod("c", ready=False, **OLD)),
        ["outdated:a", "outdated:c"],
        id="rolling: those that serve nobody go at once",
    ),
    pytest.param(
        seen(cr(1), pod("a"), pod("b", **OLD)), ["surplus:b"], id="surplus: the old template first"
    ),
    pytest.param(
        seen(cr(3), failure=Failure("QuotaExceeded", "no")), ["status"], id="refused: say so"
    ),
    pytest.param(
        seen(cr(3, spec=None, invalid="bad"), pod("a")), ["status"], id="invalid spec: hands off"
    ),
]


@pytest.mark.parametrize(("observed", "expected"), CASES)
def test_plan(observed: Observed, expected: list[str]) -> None:
    assert shape(plan(observed)) == expected


def test_converged_is_an_empty_plan() -> None:
    observed = seen(cr(1), pod("a"))
    done = with_status(cr(1), status_of(cr(1), observed))
    assert plan(seen(done, pod("a"))) == ()


RANKS = [
    pytest.param({"scheduled": False}, id="unscheduled"),
    pytest.param({"phase": "Pending"}, id="pending"),
    pytest.param({"ready": False}, id="not ready"),
    pytest.param({"template": "of-old"}, id="of an older template"),
    pytest.param({"created": "2026-01-01T00:00:01Z"}, id="younger"),
]


@pytest.mark.parametrize("weakness", RANKS)
def test_the_pod_that_serves_least_is_deleted_first(weakness: dict[str, Any]) -> None:
    for order in (("a", "b"), ("b", "a")):
        strong, weak = order
        observed = seen(cr(1), *sorted([pod(strong), pod(weak, **weakness)], key=lambda p: p.name))
        assert shape(plan(observed)) == [f"surplus:{weak}"]


@pytest.mark.parametrize("first", range(len(RANKS) - 1))
def test_each_weakness_outweighs_all_later_ones(first: int) -> None:
    weaknesses: list[dict[str, Any]] = [cast(dict[str, Any], case.values[0]) for case in RANKS]
    later: dict[str, Any] = {}
    for weakness in weaknesses[first + 1 :]:
        later |= weakness
    observed = seen(cr(1), pod("a", **later), pod("b", **weaknesses[first]))
    assert shape(plan(observed)) == ["surplus:b"]


def names(observed: Observed) -> list[str]:
    return [action.name for action in plan(observed) if isinstance(action, CreatePod)]


def test_the_same_observation_gives_the_same_names() -> None:
    assert names(seen(cr(3), pod("a"))) == names(seen(cr(3), pod("a")))


def test_names_stay_while_their_pods_come_up() -> None:
    first, second, third = names(seen(cr(3)))
    assert names(seen(cr(3), pod(second))) == [first, third]


def test_names_are_distinct_valid_and_start_as_documented() -> None:
    made = names(seen(cr(1000, name="w" * 50)))
    assert len(set(made)) == 1000
    assert all(name.startswith("w" * 50 + "-pod") and len(name) <= 63 for name in made)


def test_a_name_does_not_come_back_after_its_pod_is_gone() -> None:
    (first,) = names(seen(cr(1)))
    reported = with_status(cr(1), status_of(cr(1), seen(cr(1), pod(first))))
    assert names(seen(reported)) != [first]


def test_names_differ_between_imoocpods_of_one_name() -> None:
    assert names(seen(cr(1))) != names(seen(cr(1, uid="cr-2")))


def test_a_name_that_belongs_to_a_stranger_is_passed_over() -> None:
    first, second = names(seen(cr(2)))
    assert names(seen(cr(2), taken=frozenset({first})))[0] == second


def test_an_operator_of_another_version_asks_for_the_same_names() -> None:
    """During an upgrade both may act at once: that they meet in a name keeps pods from doubling."""
    assert names(seen(cr(2))) == ["web-pod-2cd66l27", "web-pod-jvhn4r6q"]
    reported = ImoocPodStatus(pod_names=["web-pod-a", "web-pod-b"])
    assert names(seen(with_status(cr(1), reported))) == ["web-pod-kjplx6wc"]
