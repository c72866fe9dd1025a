"""What becomes of pods by itself."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from machine.pods import active, is_ready
from machine.rules import PICKS, WAITS, Rules, pick


class Cluster(Rules):
    """Pods get ready, end, and linger."""

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, phase=st.sampled_from(("Failed", "Succeeded")), wait=WAITS)
    def a_pod_ends(self, number: int, phase: str, wait: float) -> None:
        pod = pick(self._world.owned(), number)
        self._world.doomed.pop(pod["metadata"]["uid"], None)
        self._world.set_status(pod, phase=phase)
        self._pass(wait)

    @precondition(lambda self: self._world.owned())
    @rule(number=PICKS, wait=WAITS)
    def a_pod_gets_ready_or_ceases_to_be(self, number: int, wait: float) -> None:
        pod = pick(self._world.owned(), number)
        if active(pod):
            self._world.set_status(pod, phase="Running", ready=not is_ready(pod))
        self._pass(wait)

    @rule(wait=WAITS)
    def all_pods_get_ready(self, wait: float) -> None:
        self._world.run_pods()
        self._pass(wait)

    @rule(linger=st.booleans())
    def deleted_pods_linger_from_now_on(self, linger: bool) -> None:
        self._world.store.graceful = linger
