"""The client on a real socket: verbs, errors, and servers that behave badly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.config import Token, client_config
from imooc_operator.client.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    Refused,
    ServerFailure,
    Silent,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    refusal,
)

pytestmark = pytest.mark.asyncio

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def serving(
    answer: Answer, *, token: Token | None = None, patience: float = 5.0, connections: int = 8
) -> AsyncIterator[tuple[ApiClient, list[int]]]:
    """Yield a client of a server that answers so, and a list with one entry per connection."""
    opened: list[int] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(1)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                await answer(await reader.readuntil(b"\r\n\r\n"), writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = client_config(
        f"http://127.0.0.1:{port}/base", token=token or Token("t"), origin="test"
    )
    client = ApiClient(config, connections=connections, timeout=patience)
    try:
        yield client, opened
    finally:
        client.close()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def say(*pieces: bytes) -> Answer:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)

    return answer


async def test_sends_what_the_api_server_needs() -> None:
    heads: list[bytes] = []

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK)

    async with serving(answer) as (client, _):
        assert await client.get("/x", {"limit": "5", "continue": "a/b"}) == b"{}"
    first, *rest = heads[0].decode().split("\r\n")
    assert first == "GET /base/x?limit=5&continue=a%2Fb HTTP/1.1"
    assert "Authorization: Bearer t" in rest
    assert any(line.startswith("Host: 127.0.0.1:") for line in rest)


async def test_a_connection_serves_one_request_after_another() -> None:
    async with serving(say(OK)) as (client, connections):
        for _ in range(5):
            await client.get("/x")
        assert len(connections) == 1


async def test_no_more_connections_than_allowed() -> None:
    async def slow(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        writer.write(OK)

    async with serving(slow, connections=3) as (client, connections):
        await asyncio.gather(*(client.get("/x") for _ in range(12)))
        assert len(connections) == 3


async def test_a_chunked_answer_in_single_bytes() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    text = head + b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()

    async with serving(answer) as (client, connections):
        assert await client.get("/x") == b'{"a":1}'
        assert await client.get("/x") == b'{"a":1}'
        assert len(connections) == 1


BAD = [
    pytest.param([b"what?\r\n\r\n"], "not HTTP", id="no HTTP"),
    pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"], "no answer", id="truncated"),
    pytest.param([b"HTTP/1.1 200 OK\r\n"], "no answer", id="headers never end"),
    pytest.param([], "no answer within 0.2 s", id="silence"),
]


@pytest.mark.parametrize(("pieces", "message"), BAD)
async def test_no_usable_answer_is_unreachable_and_may_have_been_applied(
    pieces: list[bytes], message: str
) -> None:
    async with serving(say(*pieces), patience=0.2) as (client, _):
        with pytest.raises(Unreachable, match=message) as error:
            await client.get("/x")
        assert error.value.outcome_unknown


async def test_a_reset_is_unreachable() -> None:
    async def reset(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        raise ConnectionError

    async with serving(reset) as (client, _):
        with pytest.raises(Unreachable, match="connection lost"):
            await client.get("/x")


async def test_nobody_listening_is_unreachable_and_surely_not_applied() -> None:
    config = client_config("http://127.0.0.1:1", token=Token(), origin="test")
    client = ApiClient(config, timeout=1.0)
    with pytest.raises(Unreachable, match=r"no connection to 127\.0\.0\.1:1") as error:
        await client.get("/x")
    assert not error.value.outcome_unknown


async def test_a_connection_that_ended_badly_is_not_used_again() -> None:
    answers = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", OK])

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(next(answers))

    async with serving(answer, patience=0.2) as (client, connections):
        with pytest.raises(Unreachable):
            await client.get("/x")
        assert await client.get("/x") == b"{}"
        assert len(connections) == 2


async def test_a_lost_connection_takes_the_idle_ones_with_it() -> None:
    """The other side is gone without a word: else each of them would cost a failure of its own."""
    old: set[asyncio.StreamWriter] = set()
    gone = False

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        if gone and writer in old:
            return
        old.add(writer)
        await asyncio.sleep(0.02)
        writer.write(OK)

    async with serving(answer, patience=0.3) as (client, connections):
        await asyncio.gather(*(client.get("/x") for _ in range(3)))
        assert len(connections) == 3
        gone = True
        with pytest.raises(Unreachable):
            await client.get("/x")
        assert await client.get("/x") == b"{}"


async def test_a_connection_announced_to_close_is_not_used_again() -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    async with serving(say(answer)) as (client, connections):
        for _ in range(3):
            await client.get("/x")
        assert len(connections) == 3


async def test_a_connection_closed_while_idle_is_replaced() -> None:
    async def once(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with serving(once) as (client, connections):
        for _ in range(3):
            await client.get("/x")
            await asyncio.sleep(0.02)
        assert len(connections) == 3


CODES = [
    (400, BadRequest),
    (401, Unauthorized),
    (403, Forbidden),
    (404, NotFound),
    (409, Conflict),
    (410, Gone),
    (413, Refused),
    (422, Invalid),
    (429, TooManyRequests),
    (500, ServerFailure),
    (503, ServerFailure),
    (504, ServerFailure),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
async def test_each_refusal_has_its_type(code: int, kind: type[ApiError]) -> None:
    body = b'{"kind":"Status","reason":"R","message":"m"}'
    head = f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\nRetry-After: 7\r\n\r\n"
    async with serving(say(head.encode() + body)) as (client, _):
        with pytest.raises(Refused, match=f"GET /x: {code} R: m") as error:
            await client.get("/x")
    assert type(error.value) is kind
    assert error.value.retry_after == 7.0
    assert error.value.outcome_unknown == (code >= 500)


async def test_a_refusal_in_other_words_is_quoted() -> None:
    error = refusal("GET /x", 502, b"<html>bad gateway</html>")
    assert isinstance(error, ServerFailure)
    assert "bad gateway" in str(error)


async def test_already_exists_is_a_conflict_of_its_own() -> None:
    assert type(refusal("x", 409, b'{"reason":"AlreadyExists"}')) is AlreadyExists


async def test_a_refused_token_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        refused = b"HTTP/1.1 401 X\r\nContent-Length: 2\r\n\r\n{}"
        writer.write(OK if b"Bearer new" in head else refused)

    async with serving(answer, token=Token(path=path)) as (client, _):
        with pytest.raises(Unauthorized):
            await client.get("/x")
        path.write_text("new")
        assert await client.get("/x") == b"{}"


WATCH = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_watch_yields_whole_lines_only() -> None:
    pieces = [WATCH, b'5\r\n{"a":\r\n', b"4\r\n1}\n{\r\n", b"2\r\n}\n\r\n", b"0\r\n\r\n"]
    async with serving(say(*pieces)) as (client, _):
        batches = [b async for b in client.watch("/x", {}, silence=1.0)]
    assert [line for batch in batches for line in batch] == [b'{"a":1}', b"{}"]


async def test_each_exchange_on_a_connection_has_its_own_time() -> None:
    """One timer serves them all: it must neither end a later one early nor wait for ever."""
    slow, silent = asyncio.Event(), asyncio.Event()

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"/slow" in head:
            await asyncio.sleep(0.25)  # longer than what is left of the first exchange's time
            slow.set()
        if b"/silent" in head:
            silent.set()
            return
        writer.write(OK)

    async with serving(answer, patience=0.4) as (client, opened):
        await client.get("/quick")
        await asyncio.sleep(0.25)
        await client.get("/slow")
        with pytest.raises(Unreachable, match=r"no answer within 0\.4 s"):
            await client.get("/silent")
        assert slow.is_set()
        assert silent.is_set()
        assert len(opened) == 1


async def test_a_silent_watch_is_noticed() -> None:
    async with serving(say(WATCH)) as (client, _):
        with pytest.raises(Silent, match=r"nothing for 0\.1 s"):
            async for _batch in client.watch("/x", {}, silence=0.1):
                pass


async def test_a_refused_watch_is_a_refusal() -> None:
    answer = b'HTTP/1.1 410 X\r\nContent-Length: 18\r\n\r\n{"reason":"Gone" }'
    async with serving(say(answer)) as (client, _):
        with pytest.raises(Gone, match="watch /x: 410 Gone"):
            async for _batch in client.watch("/x", {}, silence=1.0):
                pass


async def test_paths() -> None:
    pods = Resource("", "v1", "pods")
    assert pods.path("") == "/api/v1/pods"
    assert pods.path("n", "p", "status") == "/api/v1/namespaces/n/pods/p/status"
    things = Resource("g", "v1", "things")
    assert things.path("n") == "/apis/g/v1/namespaces/n/things"
