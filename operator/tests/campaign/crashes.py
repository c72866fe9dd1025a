"""kill -9 of the operator at a chosen write: before it is sent, before its answer, after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from campaign.arena import Plan
from support.fault_proxy import Answer, Call, Cut, Send

BEFORE, APPLIED, ANSWERED = POINTS = (
    "before it is sent",
    "applied, not answered",
    "answered",
)


def counts(call: Call) -> bool:
    """Return whether `call` is a write to crash at; events are no part of the state."""
    return call.writes and "events" not in call.resource


@dataclass
class Killer:
    """Ends the operator at its n-th write and starts it again, `times` in a row.

    The second end is at the first write of the new process: what the old one had on its way does
    not count.
    """

    plan: Plan
    number: int
    point: str
    times: int
    ends: int = 0
    restarts: list["asyncio.Task[None]"] = field(default_factory=list)
    _seen: int = 0
    _down: bool = False

    @property
    def done(self) -> bool:
        """Whether it ended the operator as often as it should; there may be too few writes."""
        return self.ends == self.times

    def matches(self, call: Call) -> bool:
        if self._down or not counts(call):
            return False
        self._seen += 1
        return self.number <= self._seen < self.number + self.times

    async def strike(self, call: Call, send: Send) -> Answer:
        self._down = True
        self.ends += 1
        answer = None if self.point == BEFORE else await send()
        restart = asyncio.create_task(self._restart())
        self.restarts.append(restart)
        if answer is not None and self.point == ANSWERED:
            return answer
        await restart  # so that the old process never learns of the broken connection
        raise Cut

    async def _restart(self) -> None:
        await self.plan.operator.kill()
        await self.plan.operator.launch()
        self._down = False


@asynccontextmanager
async def crashing(plan: Plan, number: int, point: str, times: int) -> AsyncIterator[Killer]:
    """Crash at the n-th write; at the end no restart is still on its way."""
    killer = Killer(plan, number, point, times)
    plan.proxy.rule(killer.matches, killer.strike)
    try:
        yield killer
    finally:
        await asyncio.gather(*killer.restarts)
