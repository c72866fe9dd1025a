"""Read and change what the container engine holds: containers, files in them, images, networks.

The same HTTP API that engine_api only asks, without the SDK's 0.3 s of import per task. Invariant:
one connection per call, so a client may be shared by threads, and no call waits longer than its
timeout for the engine's next bytes.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import struct
import tarfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.engine_api import Endpoint, EngineUnreachable, connect, find_endpoint

__all__ = ["Engine", "EngineError", "EngineUnreachable", "ExecResult"]

_STREAM_HEADER = struct.Struct(">BxxxL")


class EngineError(Exception):
    """The engine refused a request; ``status`` is the HTTP status it answered with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ExecResult:
    """What a command inside a container left: its exit code and both streams as one text."""

    exit_code: int
    output: str


class Engine:
    """The engine that the docker command of this user would talk to."""

    def __init__(self, endpoint: Endpoint | None = None, timeout: float = 60.0) -> None:
        self._endpoint = endpoint or find_endpoint(os.environ, Path.home())
        self._timeout = timeout

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object,
        headers: Mapping[str, str] | None,
        timeout: float | None,
    ) -> http.client.HTTPResponse:
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        sent = dict(headers or {})
        payload: bytes | None = None
        if isinstance(body, bytes):
            payload = body
        elif body is not None:
            payload = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection: http.client.HTTPConnection
            connection = connect(self._endpoint, timeout or self._timeout)
            connection.request(method, target, body=payload, headers=sent)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        if response.status >= 400:
            text = response.read().decode(errors="replace")
            try:
                message = str(json.loads(text)["message"])
            except (ValueError, KeyError, TypeError):
                message = text.strip() or response.reason
            raise EngineError(response.status, message)
        return response

    def _unreachable(self, error: Exception) -> Exception:
        why = str(error) or type(error).__name__
        unreachable: Exception = EngineUnreachable(
            f"no container engine answers at {self._endpoint.host}: {why}"
        )
        return unreachable

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Return the body the engine answered; raise EngineError for a status of 400 and above."""
        try:
            with self._open(method, path, query, body, headers, timeout) as response:
                return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the decoded JSON at ``path``, or None where the engine knows no such object."""
        try:
            return json.loads(self.call("GET", path, query=query))
        except EngineError as error:
            if error.status == 404:
                return None
            raise

    def post(self, path: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        """Return the decoded answer to a POST, None where it has no body."""
        answer = self.call("POST", path, body=body, query=query)
        return json.loads(answer) if answer else None

    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the JSON messages of a long POST, such as a push; raise on one that is an error."""
        with self._open("POST", path, query, None, headers, None) as response:
            for line in response:
                if not line.strip():
                    continue
                message: dict[str, Any] = json.loads(line)
                if "error" in message:
                    raise EngineError(500, str(message["error"]))
                yield message

    def container(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container, or None."""
        found: dict[str, Any] | None = self.get(f"/containers/{name}/json")
        return found

    def image(self, reference: str) -> dict[str, Any] | None:
        """Return what the engine knows of an image it holds, or None."""
        found: dict[str, Any] | None = self.get(f"/images/{reference}/json")
        return found

    def containers(self, **filters: str) -> list[dict[str, Any]]:
        """Return the containers, stopped ones too, that match every filter (``label=…``)."""
        wanted = json.dumps({key: [value] for key, value in filters.items()})
        found: list[dict[str, Any]] = self.get(
            "/containers/json", {"all": "true", "filters": wanted}
        )
        return found

    def start(self, name: str) -> None:
        """Start a container; one that runs already stays as it is."""
        self.call("POST", f"/containers/{name}/start")

    def remove_container(self, name: str) -> None:
        """Remove a container, running or not, with its anonymous volumes; absent is fine."""
        try:
            self.call("DELETE", f"/containers/{name}", query={"force": "true", "v": "true"})
        except EngineError as error:
            if error.status == 409 and "already in progress" in str(error):
                return
            if error.status != 404:
                raise

    def untag(self, reference: str) -> None:
        """Take a name from an image; with its last name the image goes. Absent is fine."""
        try:
            self.call("DELETE", f"/images/{reference}")
        except EngineError as error:
            if error.status != 404:
                raise

    def command_environment(self) -> dict[str, str]:
        """Return an environment in which the docker command talks to this very engine."""
        environment = dict(os.environ)
        environment.pop("DOCKER_CONTEXT", None)
        environment["DOCKER_HOST"] = self._endpoint.host
        if self._endpoint.tls_dir is not None:
            environment |= {"DOCKER_CERT_PATH": self._endpoint.tls_dir, "DOCKER_TLS_VERIFY": "1"}
        return environment

    def read_files(self, container: str, path: str) -> dict[str, bytes]:
        """Return the regular files at ``path`` of a container, by path relative to its parent.

        A missing path gives an empty result. Works on stopped containers too.
        """
        try:
            archive = self.call("GET", f"/containers/{container}/archive", query={"path": path})
        except EngineError as error:
            if error.status == 404:
                return {}
            raise
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            files = {}
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None:
                    files[member.name] = content.read()
            return files

    def write_files(self, container: str, files: Mapping[str, bytes], folder: str) -> None:
        """Write ``files`` below ``folder``, which exists, as root and mode 0644, in one call."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            made: set[str] = set()
            for name, content in sorted(files.items()):
                for parent in reversed(Path(name).parents[:-1]):
                    if str(parent) not in made:
                        made.add(str(parent))
                        entry = tarfile.TarInfo(str(parent))
                        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                        tar.addfile(entry)
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
        self.call(
            "PUT",
            f"/containers/{container}/archive",
            query={"path": folder},
            body=buffer.getvalue(),
            headers={"Content-Type": "application/x-tar"},
        )

    def logs(self, container: str, lines: int = 20) -> str:
        """Return the last lines that a container printed, both streams."""
        raw = self.call(
            "GET",
            f"/containers/{container}/logs",
            query={"stdout": "true", "stderr": "true", "tail": str(lines)},
        )
        return _demultiplexed(raw).decode(errors="replace").rstrip()

    def execute(self, container: str, argv: Sequence[str], timeout: float = 60.0) -> ExecResult:
        """Run a command inside a running container and return its exit code and output."""
        created = self.post(
            f"/containers/{container}/exec",
            {"Cmd": list(argv), "AttachStdout": True, "AttachStderr": True},
        )
        raw = self.call(
            "POST",
            f"/exec/{created['Id']}/start",
            body={"Detach": False, "Tty": False},
            timeout=timeout,
        )
        state = self.get(f"/exec/{created['Id']}/json")
        return ExecResult(int(state["ExitCode"]), _demultiplexed(raw).decode(errors="replace"))


def _demultiplexed(raw: bytes) -> bytes:
    """Return the payload of the engine's framed stream, both channels in the order they came."""
    parts = []
    offset = 0
    while offset + _STREAM_HEADER.size <= len(raw):
        _channel, size = _STREAM_HEADER.unpack_from(raw, offset)
        offset += _STREAM_HEADER.size
        parts.append(raw[offset : offset + size])
        offset += size
    return b"".join(parts)
