"""Users and faults in any order that hypothesis thinks of; the world always ends up as specified.

IMOOC_MACHINE_STEPS sets how many steps are taken at least; IMOOC_MACHINE_SEED leads them elsewhere.
The same code takes the same steps, so what fails is due to the change at hand.
"""

import itertools
import os

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from machine.cluster import Cluster
from machine.faults import Faults
from machine.pods import valid
from machine.rules import PICKS, REPLICAS, pick
from machine.users import Users

STEPS = int(os.environ.get("IMOOC_MACHINE_STEPS", "10000"))
SEED = int(os.environ.get("IMOOC_MACHINE_SEED", "0"))

STEPS_EACH = 50
"""Steps of one example, from an empty world to the final reckoning."""


class Machine(Users, Cluster, Faults):
    """All of it in any order; what must hold meanwhile, and in the end."""

    steps = 0

    @invariant()
    def no_promise_is_broken(self) -> None:
        type(self).steps += 1
        self._world.check()

    @rule(kubelet=st.booleans())
    def faults_cease(self, kubelet: bool) -> None:
        self._run(self._world.settles(kubelet=kubelet))

    @precondition(lambda self: any(valid(cr) for cr in self._world.crs()))
    @rule(number=PICKS, replicas=REPLICAS)
    def faults_cease_and_somebody_scales(self, number: int, replicas: int) -> None:
        cr = pick([cr for cr in self._world.crs() if valid(cr)], number)
        missing = max(0, replicas - cr["spec"]["replicas"])
        self._run(self._world.reacts(lambda: self._change(cr, {"replicas": replicas}), missing))

    @precondition(
        lambda self: any(valid(cr) and cr["spec"]["replicas"] for cr in self._world.crs())
    )
    @rule(number=PICKS)
    def faults_cease_and_a_pod_goes(self, number: int) -> None:
        crs = [cr for cr in self._world.crs() if valid(cr) and cr["spec"]["replicas"]]

        def lose_one() -> None:
            self._delete_pod(self._world.owned(pick(crs, number))[0], graceful=False)

        self._run(self._world.reacts(lose_one, 1))

    def teardown(self) -> None:
        try:
            self._run(self._world.settles(kubelet=True))
            self._world.check()
        finally:
            self._run(self._world.end())
            self._loop.close()


@pytest.mark.timeout(0)  # the number of steps decides; on a failure hypothesis shrinks for minutes
def test_the_world_ends_up_as_specified() -> None:
    Machine.steps = 0
    for number in itertools.count(SEED):
        if Machine.steps >= STEPS:  # an example may end before its last step
            break
        run_state_machine_as_test(
            seed(number)(Machine),
            settings=settings(
                max_examples=-(-(STEPS - Machine.steps) // STEPS_EACH),
                stateful_step_count=STEPS_EACH,
                suppress_health_check=list(HealthCheck),
            ),
        )
