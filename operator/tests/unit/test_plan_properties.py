"""What holds for the plan in every state: a small cluster in memory, driven by hypothesis."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from imooc_operator.kinds.imoocpod.api import ImoocPod, ImoocPodSpec
from imooc_operator.kinds.imoocpod.observe import Observed, PodView, observe
from imooc_operator.kinds.imoocpod.plan import Action, CreatePod, DeletePod, SetStatus, plan
from imooc_operator.kinds.imoocpod.template import template_hash
from imooc_operator.runtime.cache import Cache
from support.builders import NOW, cr, pod

CURRENT = template_hash(ImoocPodSpec(replicas=0))


@dataclass
class World:
    """The truth: one ImoocPod and all pods of its namespace, foreign ones too."""

    cr: ImoocPod
    pods: dict[str, PodView] = field(default_factory=dict)
    created: int = 0

    def observe(self) -> Observed:
        crs: Cache[ImoocPod] = Cache()
        crs.replace("", [self.cr], 1, rewind=False)
        pods: Cache[PodView] = Cache(index=lambda p: p.owner_uid)
        pods.replace("", self.pods.values(), 1, rewind=False)
        return replace(observe("default/web", crs, pods), now=NOW)

    def act(self, action: Action) -> None:
        match action:
            case CreatePod(name):
                assert name not in self.pods, "the API server would answer AlreadyExists"
                self.created += 1
                self.pods[name] = pod(
                    name, self.cr, uid=f"new-{self.created}", phase="Pending", ready=False
                )
            case DeletePod(target):
                assert self.pods[target.name].uid == target.uid
                self.pods[target.name] = msgspec.structs.replace(target, terminating=True)
            case SetStatus(status):
                self.cr = msgspec.structs.replace(self.cr, status=status)

    def run_pods(self) -> None:
        """Do the kubelet's part: what terminates ends, what lives gets ready."""
        for name, p in list(self.pods.items()):
            if p.owner_uid != self.cr.uid:
                continue
            if p.terminating:
                del self.pods[name]
            elif p.active and not p.ready:
                self.pods[name] = msgspec.structs.replace(p, phase="Running", ready=True)

    def active(self) -> list[PodView]:
        return [p for p in self.pods.values() if p.owner_uid == self.cr.uid and p.active]


pod_states = st.fixed_dictionaries(
    {
        "phase": st.sampled_from(["Pending", "Running", "Failed", "Succeeded", "Unknown"]),
        "ready": st.booleans(),
        "scheduled": st.booleans(),
        "terminating": st.booleans(),
        "template": st.sampled_from([CURRENT, "of-old"]),
        "owner_uid": st.sampled_from(["cr-1", "cr-1", "cr-1", "somebody-else"]),
        "created": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:07Z"]),
    }
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    states: list[dict[str, Any]] = draw(st.lists(pod_states, max_size=8))
    pods = {f"p{i}": pod(f"p{i}", **state) for i, state in enumerate(states)}
    return World(cr=cr(draw(st.integers(0, 6))), pods=pods)


def settle(world: World, limit: int = 60) -> int:
    """Plan and act until nothing changes; return the number of plans."""
    for rounds in range(limit):
        actions = plan(world.observe())
        for action in actions:
            world.act(action)
        before = dict(world.pods)
        world.run_pods()
        if not actions and world.pods == before:
            return rounds
    raise AssertionError(f"no fixed point after {limit} rounds: {world}")


def assert_specified(world: World) -> None:
    """Assert the specification: as many pods as wanted, of the template, and a status of that."""
    spec, status = world.cr.spec, world.cr.status
    assert spec is not None
    assert status is not None
    active = world.active()
    assert len(active) == spec.replicas
    assert all(p.template == CURRENT for p in active)
    assert not [p for p in world.pods.values() if p.owner_uid == world.cr.uid and p.finished]
    assert status.pod_names == sorted(p.name for p in active)
    assert status.observed_generation == world.cr.generation


@given(worlds())
def test_reaches_a_fixed_point_that_is_the_specification(world: World) -> None:
    settle(world)
    assert_specified(world)
    assert plan(world.observe()) == ()


@given(worlds(), st.lists(st.integers(0, 9), max_size=6))
def test_converges_after_crashes_anywhere(world: World, crashes: list[int]) -> None:
    for survivors in crashes:
        for action in plan(world.observe())[:survivors]:
            world.act(action)
        world.run_pods()
    settle(world)
    assert_specified(world)


@given(worlds())
def test_foreign_pods_are_never_touched(world: World) -> None:
    foreign = {p.name: p for p in world.pods.values() if p.owner_uid != world.cr.uid}
    settle(world)
    assert {name: world.pods[name] for name in foreign} == foreign


@given(worlds())
def test_never_more_active_pods_than_there_were_or_are_wanted(world: World) -> None:
    assert world.cr.spec is not None
    limit = max(world.cr.spec.replicas, len(world.active()))
    for _ in range(20):
        for action in plan(world.observe()):
            world.act(action)
            assert len(world.active()) <= limit
        world.run_pods()
        limit = max(world.cr.spec.replicas, len(world.active()))


@given(worlds())
def test_a_plan_is_all_about_pods_or_is_the_status_alone(world: World) -> None:
    actions = plan(world.observe())
    statuses = [action for action in actions if isinstance(action, SetStatus)]
    assert len(actions) == 1 if statuses else True


@given(worlds())
def test_a_second_operator_with_the_same_view_adds_nothing(world: World) -> None:
    first, second = plan(world.observe()), plan(world.observe())
    assert first == second


@given(st.integers(1, 6))
def test_a_rolling_replacement_keeps_all_but_one_ready(replicas: int) -> None:
    old = {f"p{i}": pod(f"p{i}", template="of-old") for i in range(replicas)}
    world = World(cr=cr(replicas), pods=old)
    for _ in range(60):
        actions = plan(world.observe())
        for action in actions:
            world.act(action)
            assert sum(p.ready for p in world.active()) >= replicas - 1
        world.run_pods()
    assert_specified(world)
