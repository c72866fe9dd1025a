"""The user's and the observer's way to the API server: the standard library's HTTP.

Invariant: nothing of the operator's own client is in it.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

AT_ONCE = 16
"""Requests of the user side by side: enough that no peer waits for work."""

IDLE = 30.0
"""Seconds without a request after which a connection is opened anew: the API server hangs up."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

Call = tuple[str, str, bytes]
"""Method, path, body."""


class Refused(Exception):
    """The API server did not do what was asked."""


class Client:
    """An administrator's connections, one for each thread."""

    def __init__(self, port: int, certificate: Path, token: str) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(certificate))
        self._headers = {"Authorization": f"Bearer {token}"}
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="user")

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the answer's body."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(60)
        elif time.monotonic() - self._local.used > IDLE:
            connection.close()  # the next request opens it again
        kind = MERGE_PATCH if method == "PATCH" else JSON
        connection.request(method, path, body, {**self._headers, "Content-Type": kind})
        answer = connection.getresponse()
        content: bytes = answer.read()
        self._local.used = time.monotonic()
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {content[:500].decode()}")
        return content

    def all(self, calls: Iterable[Call]) -> None:
        """Make all calls, some at a time."""
        for _ in self._threads.map(lambda call: self.call(*call), calls):
            pass

    def watch(self, path: str, accept: str, since: int) -> Iterator[list[bytes]]:
        """Yield whole lines as they arrive until the API server ends the watch.

        They begin after the revision `since`; 0 means first all that is there.
        """
        connection = self._connect(None)
        query = {"watch": "true", "timeoutSeconds": "36000"}
        if since:
            query["resourceVersion"] = str(since)
        headers = {**self._headers, "Accept": accept}
        with closing(connection):
            connection.request("GET", f"{path}?{urlencode(query)}", headers=headers)
            answer = connection.getresponse()
            rest = b""
            while piece := answer.read1(1 << 20):
                *lines, rest = (rest + piece).split(b"\n")
                if lines:
                    yield lines
        if answer.status != 200:
            raise Refused(f"watch {path}: {answer.status} {rest[:500].decode()}")

    def _connect(self, timeout: float | None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._tls, timeout=timeout
        )
