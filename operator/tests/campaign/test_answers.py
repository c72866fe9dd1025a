"""The API server errs, once, at each call that a workload makes: it still ends as it should."""

import asyncio
from functools import partial

import pytest

from campaign.arena import Arena, Plan, side_by_side
from support.fault_proxy import Answer, Call, Cut, Rule, Send, refusal

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(300)]


def refused(status: int, reason: str, headers: bytes = b"") -> Rule:
    async def rule(call: Call, send: Send) -> Answer:
        return refusal(status, reason, headers)

    return rule


def whole(rule: Rule) -> Rule:
    """Let `rule` have only answers that end; a watch is reset instead."""

    async def on_whole(call: Call, send: Send) -> Answer:
        return await (reset if call.verb == "watch" else rule)(call, send)

    return on_whole


async def reset(call: Call, send: Send) -> Answer:
    raise Cut


@whole
async def applied_but_504(call: Call, send: Send) -> Answer:
    await send()
    return refusal(504, "Timeout")


@whole
async def applied_but_reset(call: Call, send: Send) -> Answer:
    await send()
    raise Cut


@whole
async def no_json(call: Call, send: Send) -> Answer:
    await send()
    return 200, b"", b"<html>proxy</html>"


@whole
async def half_a_body(call: Call, send: Send) -> Answer:
    status, headers, body = await send()
    return status, headers, body[: len(body) // 2]


@whole
async def slow(call: Call, send: Send) -> Answer:
    answer = await send()
    await asyncio.sleep(1)
    return answer


FAULTS: dict[str, Rule] = {
    "400": refused(400, "BadRequest"),
    "401": refused(401, "Unauthorized"),
    "403": refused(403, "Forbidden"),
    "404": refused(404, "NotFound"),
    "409": refused(409, "Conflict"),
    "410": refused(410, "Expired"),
    "413": refused(413, "RequestEntityTooLarge"),
    "422": refused(422, "Invalid"),
    "429": refused(429, "TooManyRequests", b"Retry-After: 1\r\n"),
    "500": refused(500, "InternalError"),
    "503": refused(503, "ServiceUnavailable"),
    "504": refused(504, "Timeout"),
    "applied but 504": applied_but_504,
    "applied but reset": applied_but_reset,
    "reset": reset,
    "no JSON": no_json,
    "half a body": half_a_body,
    "late": slow,
}


class Once:
    """Matches the n-th call."""

    def __init__(self, number: int) -> None:
        self.met: Call | None = None
        self._left = number

    def __call__(self, call: Call) -> bool:
        if "events" in call.resource:
            return False
        self._left -= 1
        if self._left == 0:
            self.met = call
        return self._left == 0


CALLS = 8
"""Two watches that begin with a list, three creates, a status, a delete, a status."""

PAGED_CALLS = 4
"""Two lists, two watches: what differs where a watch cannot begin with a list."""


async def work(plan: Plan) -> None:
    await plan.user.create("web", 3)
    await plan.user.converged("web", 3)
    await plan.user.scale("web", 2)
    await plan.user.converged("web", 2)
    await plan.settled()


async def run(arena: Arena, fault: str, number: int, paged: bool) -> None:
    async with arena.plan(f"answer: {fault}") as plan:
        once = Once(number)
        if paged:
            plan.page_lists()
        plan.proxy.rule(once, FAULTS[fault])
        await plan.operator.start()
        await work(plan)
        assert once.met is not None
        where = f"{fault} at call {number}, {once.met.verb} {once.met.resource}"
        assert plan.writes() == {"create": 3, "delete": 1}, where


@pytest.mark.parametrize("fault", list(FAULTS))
async def test_an_error_at_any_call_changes_nothing(arena: Arena, fault: str) -> None:
    await side_by_side(
        [
            partial(run, arena, fault, number, paged)
            for paged, calls in ((False, CALLS), (True, PAGED_CALLS))
            for number in range(1, calls + 1)
        ]
    )
