"""The engine client against a server that answers as an engine does, over a Unix socket."""

from __future__ import annotations

import io
import json
import socketserver
import struct
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest
from ansible.module_utils.engine_api import Endpoint
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable


class Answers(BaseHTTPRequestHandler):
    """One container "c" whose files are what was put into it."""

    archive: ClassVar[bytes] = b""

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""

    def address_string(self) -> str:
        """Say something printable: a Unix socket's peer has no address."""
        return "unix"

    def do_GET(self) -> None:
        """Answer the reads."""
        if self.path == "/containers/c/json":
            self.answer(200, b'{"Name": "/c"}')
        elif self.path == "/containers/c/archive?path=%2Fthere":
            self.answer(200, Answers.archive)
        elif self.path == "/exec/e/json":
            self.answer(200, b'{"ExitCode": 3}')
        else:
            self.answer(404, b'{"message": "no such thing"}')

    def do_POST(self) -> None:
        """Answer an exec with two frames, and everything else with a conflict."""
        # An answer to half a request is a broken pipe to who is still sending.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/containers/c/exec":
            self.answer(201, b'{"Id": "e"}')
        elif self.path == "/exec/e/start":
            frames = [
                struct.pack(">BxxxL", channel, 3) + text
                for channel, text in ((1, b"out"), (2, b"err"))
            ]
            self.answer(200, b"".join(frames))
        elif self.path.startswith("/images/x/push"):
            self.answer(200, b'{"status": "ok"}\n{"error": "denied"}\n')
        else:
            self.answer(409, b'{"message": "name in use"}')

    def do_PUT(self) -> None:
        """Keep what is put."""
        Answers.archive = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, b"")

    def answer(self, status: int, body: bytes) -> None:
        """Send one answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingUnixStreamServer):
    """The same, one thread per connection."""

    daemon_threads = True


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = str(tmp_path / "engine.sock")
    server = Server(path, Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Engine(Endpoint(f"unix://{path}", "test", True), timeout=5)
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_there_is_decoded_and_what_is_not_is_none(engine: Engine) -> None:
    assert engine.container("c") == {"Name": "/c"}
    assert engine.container("d") is None


def test_a_refusal_carries_the_engines_own_words(engine: Engine) -> None:
    with pytest.raises(EngineError, match="name in use") as caught:
        engine.post("/containers/create", {})
    assert caught.value.status == 409


def test_both_streams_and_the_exit_code_of_a_command_come_back(engine: Engine) -> None:
    result = engine.execute("c", ["false"])
    assert (result.exit_code, result.output) == (3, "outerr")


def test_files_come_back_as_they_were_put(engine: Engine) -> None:
    files = {"certs.d/localhost:5000/hosts.toml": b"a", "certs.d/b/hosts.toml": b"b"}
    engine.write_files("c", files, "/etc/containerd")
    assert engine.read_files("c", "/there") == files
    assert engine.read_files("c", "/nowhere") == {}
    with tarfile.open(fileobj=io.BytesIO(Answers.archive)) as tar:
        folders = [member.name for member in tar if member.isdir()]
    assert folders == ["certs.d", "certs.d/b", "certs.d/localhost:5000"]


def test_a_stream_that_reports_an_error_raises_it(engine: Engine) -> None:
    with pytest.raises(EngineError, match="denied"):
        list(engine.stream("/images/x/push"))


def test_an_engine_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    endpoint = Endpoint(f"unix://{tmp_path}/none.sock", "test", True)
    with pytest.raises(EngineUnreachable, match=r"none\.sock"):
        Engine(endpoint).container("c")


def test_the_docker_command_is_sent_to_the_same_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    environment = engine.command_environment()
    assert environment["DOCKER_HOST"].endswith("engine.sock")
    assert "DOCKER_CONTEXT" not in environment
    assert json.dumps(environment)
