"""Watches that break, freeze, lie or forget: the caches find back to the truth."""

import asyncio

import pytest

from imooc_operator.runtime import informer as informer_module
from support.fake_api import Cut, FakeApi, Request
from support.inprocess import operating
from support.store import Event, Object, Refusal
from support.user import User

pytestmark = pytest.mark.asyncio


def lists(api: FakeApi) -> int:
    """Return how often the operator asked for everything, in pages or in a watch."""
    return sum("limit" in r.query or r.streams for r in api.requests)


async def test_the_first_list_comes_in_the_watch(api: FakeApi, user: User) -> None:
    for number in range(5):
        await user.create(f"web-{number}", 1)
    async with operating(api):
        for number in range(5):
            await user.converged(f"web-{number}", 1)
    assert lists(api) == 2, "one of ImoocPods, one of pods"
    assert not any("limit" in r.query for r in api.requests), "nothing came in pages"


async def test_an_api_server_without_streamed_lists_is_asked_for_pages(
    api: FakeApi, user: User
) -> None:
    api.streams = "refused"
    api.page = 2
    for number in range(5):
        await user.create(f"web-{number}", 1)
    async with operating(api):
        for number in range(5):
            await user.converged(f"web-{number}", 1)
    assert sum("limit" in r.query for r in api.requests) == 3 + 1, "of ImoocPods, and of no pods"
    assert sum(r.streams for r in api.requests) == 2, "each was asked once"


async def test_an_api_server_older_than_streamed_lists_is_found_out(
    api: FakeApi, user: User
) -> None:
    """It takes the option for nothing, and brings bookmarks like any other."""

    api.streams = "unheard of"
    await user.create("web", 2)
    async with operating(api):
        await user.converged("web", 2)


async def test_a_list_that_expires_between_two_pages_starts_over(api: FakeApi, user: User) -> None:
    api.streams = "refused"
    api.page = 2
    for number in range(5):
        await user.create(f"web-{number}", 1)
    once = iter([True])

    async def expire(request: Request, act: object) -> Object:
        raise Refusal(410, "Expired", "the continue token is too old")

    api.fault(lambda r: r.query.get("continue") == "4" and next(once, False), expire)
    async with operating(api):
        for number in range(5):
            await user.converged(f"web-{number}", 1)


async def test_a_watch_resumes_without_a_list(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 1)
        await user.converged("web", 1)
        before = lists(api)
        for replicas in (2, 3):
            await api.cut()
            await user.scale("web", replicas)
            await user.converged("web", replicas)
    assert lists(api) == before


async def test_a_delete_lost_while_disconnected_and_compacted_is_made_up_for(
    api: FakeApi, user: User
) -> None:
    async with operating(api):
        await user.create("web", 3)
        first, *_ = await user.converged("web", 3)
        api.frozen.add("pods")
        await asyncio.sleep(0.02)
        await user.delete_pod(first)
        api.store.compact()
        api.frozen.clear()
        await api.cut()
        await _replaced(user, first)


async def test_an_expired_watch_in_its_midst_is_followed_by_a_list(
    api: FakeApi, user: User
) -> None:
    async with operating(api):
        await user.create("web", 2)
        first, _ = await user.converged("web", 2)
        before = lists(api)
        api.frozen.add("pods")
        await asyncio.sleep(0.02)
        await user.delete_pod(first)
        api.store.compact()
        api.frozen.clear()  # the open watch now says ERROR 410
        await _replaced(user, first)
        assert lists(api) > before


async def test_a_silent_watch_is_opened_anew(
    api: FakeApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(informer_module, "SILENCE", 0.3)
    async with operating(api):
        await user.create("web", 2)
        first, _ = await user.converged("web", 2)
        opened = api.count("watch", "pods")
        api.frozen.add("pods")
        await user.delete_pod(first)

        async def noticed() -> bool | None:
            return True if api.count("watch", "pods") > opened else None

        await user.eventually(noticed, "another watch of pods is opened")
        api.frozen.clear()
        await _replaced(user, first)


async def test_an_older_event_is_noticed_and_a_list_made(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 2)
        names = await user.converged("web", 2)
        before = lists(api)
        old = next(e for e in api.store.history if e.plural == "pods")
        repeated = Event(api.store.revision + 1, "MODIFIED", "pods", old.object)
        api.store.revision += 1
        api.store.history.append(repeated)  # its object still says the older revision

        async def listed() -> bool | None:
            return True if lists(api) > before else None

        await user.eventually(listed, "the broken order is answered by a list")
        assert await user.converged("web", 2) == names


async def test_a_watch_kept_alive_by_bookmarks_is_left_alone(
    api: FakeApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(informer_module, "SILENCE", 0.3)
    async with operating(api):
        await user.create("web", 2)
        await user.converged("web", 2)
        await asyncio.sleep(0.1)
        before = len(api.requests)
        await asyncio.sleep(1.0)
        assert len(api.requests) == before


async def test_a_bookmark_saves_the_list_after_a_compaction(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 1)
        (name,) = await user.converged("web", 1)
        await user.create("other", 0)  # moves the revision on, with no event for the pods' watch
        await user.converged("other", 0)
        before = lists(api)
        await asyncio.sleep(3 * api.bookmarks)
        api.store.compact()
        await api.cut()
        await user.delete_pod(name)
        await _replaced(user, name)  # so the watch of pods works again
        assert lists(api) == before


async def test_a_restored_etcd_is_believed_after_some_lists(
    api: FakeApi, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch is from the future now: it stays silent, and only a list shows why."""
    monkeypatch.setattr(informer_module, "SILENCE", 0.3)
    async with operating(api):
        await user.create("web", 2)
        await user.converged("web", 2)
        for key in [key for key in api.store.objects if key[0] == "pods"]:
            del api.store.objects[key]
        api.store.history.clear()
        api.store.revision -= 4
        cr = api.store.objects["imoocpods", "default", "web"]
        cr["metadata"]["resourceVersion"] = str(api.store.revision)
        api.store.compacted = api.store.revision - 1
        await api.cut()
        await user.converged("web", 2)


async def test_survives_an_api_server_that_fails_at_everything_for_a_while(
    api: FakeApi, user: User
) -> None:
    answers = iter([500, 429, 503, 401, 403, "cut"] * 6)

    async def fail(request: Request, act: object) -> Object:
        answer = next(answers)
        if isinstance(answer, int):
            raise Refusal(answer, "Whatever", "not now")
        raise Cut

    await user.create("web", 2)
    api.fault(lambda r: r.streams and sum(q.streams for q in api.requests) < 8, fail)
    async with operating(api):
        await user.converged("web", 2)


async def _replaced(user: User, pod: str) -> None:
    async def check() -> bool | None:
        cr = await user.get("web")
        names = await user.active(cr)
        return True if pod not in names and len(names) == cr["spec"]["replicas"] else None

    await user.eventually(check, f"{pod} is replaced")
