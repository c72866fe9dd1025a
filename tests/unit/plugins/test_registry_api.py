"""The registry client against a server that answers as a registry does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible.module_utils.registry_api import Manifest, RegistryClient, RegistryUnreachable

DIGEST = "sha256:abc"
MANIFEST = {"config": {"size": 10}, "layers": [{"size": 100}, {"size": 1000}]}
REPOSITORIES = ["busybox", "gone", "operator"]


class Answers(BaseHTTPRequestHandler):
    """Two repositories with one tag each, one without tags, and a catalog in pages of two."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""

    def do_HEAD(self) -> None:
        """Answer for a manifest without its body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer as the distribution specification says."""
        path, _, query = self.path.partition("?")
        if path == "/v2/":
            self.answer(200, {})
        elif path == "/v2/_catalog":
            last = query.partition("last=")[2]
            start = REPOSITORIES.index(last) + 1 if last else 0
            more = {"Link": "<next>"} if start + 2 < len(REPOSITORIES) else {}
            self.answer(200, {"repositories": REPOSITORIES[start : start + 2]}, more)
        elif path == "/v2/gone/tags/list":
            self.answer(404, {})
        elif path.endswith("/tags/list"):
            self.answer(200, {"tags": ["1"]})
        elif path.endswith("/manifests/1"):
            self.answer(200, MANIFEST, {"Docker-Content-Digest": DIGEST})
        else:
            self.answer(404, {})

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        """Send one JSON answer."""
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(raw)


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_catalog_has_all_pages_tags_and_digests(host: str) -> None:
    with RegistryClient(host) as client:
        client.wait(1)
        assert client.catalog() == {
            "busybox": {"1": DIGEST},
            "gone": {},
            "operator": {"1": DIGEST},
        }


def test_an_image_is_known_by_digest_and_size(host: str) -> None:
    with RegistryClient(host) as client:
        assert client.manifest("operator", "1") == Manifest(DIGEST, 1110)
        assert client.manifest("operator", "2") is None
        assert client.digest("operator", "2") is None


def test_a_registry_that_is_not_there_is_said_so() -> None:
    with (
        RegistryClient("127.0.0.1:1", timeout=1) as client,
        pytest.raises(RegistryUnreachable, match=r"no registry answers at 127\.0\.0\.1:1"),
    ):
        client.wait(0)
