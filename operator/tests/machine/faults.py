"""What goes wrong."""

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from machine.rules import PICKS, WAITS, Rules
from machine.wire import REFUSALS

CALLS = [
    ("create", "pods"),
    ("delete", "pods"),
    ("update", "imoocpods/status"),
    ("get", "pods"),
    ("get", "imoocpods"),
    ("list", "pods"),
    ("list", "imoocpods"),
    ("watch", "pods"),
    ("watch", "imoocpods"),
    ("patch", "leases"),
]

FAULTS = [*REFUSALS, "lost", "applied, lost", "applied, 504", "late", "no JSON", "old"]

TAMPERS = {
    "doubled": lambda lines: [line for line in lines for _ in range(2)],
    "backwards": lambda lines: lines[::-1],
}


class Faults(Rules):
    """Watches freeze and lie, calls fail, operators are cut off and crash."""

    @rule(plural=st.sampled_from(("pods", "imoocpods")), number=PICKS, wait=WAITS)
    def watches_freeze(self, plural: str, number: int, wait: float) -> None:
        for operator in self._some(number):
            operator.wire.freeze(plural)
        self._pass(wait)

    @rule(wait=WAITS)
    def watches_thaw(self, wait: float) -> None:
        for operator in self._world.operators:
            operator.wire.thaw()
        self._pass(wait)

    @rule(number=PICKS, wait=WAITS)
    def connections_break(self, number: int, wait: float) -> None:
        for operator in self._some(number):
            operator.wire.reset()
        self._pass(wait)

    @rule(number=PICKS, wait=WAITS)
    def an_operator_is_cut_off(self, number: int, wait: float) -> None:
        for operator in self._some(number):
            operator.wire.cut = True
            operator.wire.reset()
        self._pass(wait)

    @rule(wait=WAITS)
    def all_are_reached_again(self, wait: float) -> None:
        for operator in self._world.operators:
            operator.wire.cut = False
        self._pass(wait)

    @rule(wait=WAITS)
    def the_history_is_forgotten(self, wait: float) -> None:
        self._world.store.compact()
        self._pass(wait)

    @rule(
        call=st.sampled_from(CALLS),
        fault=st.sampled_from(FAULTS),
        left=st.integers(1, 3),
        wait=WAITS,
    )
    def calls_go_wrong(
        self, call: tuple[str, str], fault: str | int, left: int, wait: float
    ) -> None:
        # To say of an object that it is not there is a lie that nobody can see through.
        if (call[0], fault) != ("get", 404):
            self._world.order(*call, fault, left)
        self._pass(wait)

    @rule()
    def remember_this_for_a_lie(self) -> None:
        store = self._world.store
        self._world.conditions.old = (store.revision, dict(store.objects))

    @rule(how=st.sampled_from((None, *TAMPERS)), wait=WAITS)
    def events_come(self, how: str | None, wait: float) -> None:
        self._world.upset(TAMPERS[how] if how else None, in_order=how != "backwards")
        self._pass(wait)

    @rule(seconds=st.sampled_from((0.0, 0.001, 0.1, 2.0)))
    def each_request_takes(self, seconds: float) -> None:
        self._world.delay = seconds

    @rule(number=PICKS, away=WAITS, wait=WAITS)
    def an_operator_crashes(self, number: int, away: float, wait: float) -> None:
        self._run(self._replace(number, away, crash=True))
        self._pass(wait)

    @rule(number=PICKS, wait=WAITS)
    def an_operator_is_replaced(self, number: int, wait: float) -> None:
        self._run(self._replace(number, 0.0, crash=False))
        self._pass(wait)

    def _some(self, number: int) -> list[Any]:
        """Return one operator or all of them."""
        operators = self._world.operators
        return operators if number > 4 else operators[number : number + 1]

    async def _replace(self, number: int, away: float, *, crash: bool) -> None:
        operators = self._world.operators
        if operators:
            operator = operators.pop(number % len(operators))
            await (operator.crash() if crash else operator.terminate())
        await asyncio.sleep(away)
        self._world.start()
