"""A stand-in API server for unit tests: real HTTP on loopback, objects in a dictionary.

It knows what the client relies on: discovery, lists in pages, server-side apply with
managedFields for flat objects, dry runs, uid preconditions. The true server is tested by Molecule.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

JsonObject = dict[str, Any]

RESOURCES = {
    "/api/v1": [("Namespace", "namespaces", False), ("ConfigMap", "configmaps", True)],
    "/apis/apps/v1": [("Deployment", "deployments", True)],
}


class KubeServer:
    """The state of the stand-in, and what it was asked."""

    def __init__(self) -> None:
        self.objects: dict[str, JsonObject] = {}
        self.requests: list[str] = []
        self.connections = 0
        self.refuse: Callable[[str, str], tuple[int, JsonObject] | None] = lambda method, path: None
        self.resources = dict(RESOURCES)
        self.page = 500
        self._uid = 0

    @property
    def writes(self) -> list[str]:
        """The requests that stored something."""
        return [r for r in self.requests if not r.startswith("GET") and "dryRun" not in r]

    def put(self, path: str, obj: JsonObject) -> None:
        """Store an object as somebody else would."""
        self._uid += 1
        obj = copy.deepcopy(obj)
        obj["metadata"].setdefault("uid", f"uid-{self._uid}")
        self.objects[path] = obj

    def answer(self, method: str, url: str, body: JsonObject | None) -> tuple[int, JsonObject]:
        """Return status and body of one request."""
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        self.requests.append(f"{method} {url}")
        if refused := self.refuse(method, path):
            return refused
        if path in self.resources:
            rows = [{"kind": k, "name": n, "namespaced": s} for k, n, s in self.resources[path]]
            return 200, {"resources": rows}
        if method == "GET" and path in self.objects:
            return 200, self.objects[path]
        if method == "GET" and path.rsplit("/", 1)[-1].endswith("s"):
            return self._list(path, query)
        if method == "PATCH" and body is not None:
            return self._apply(path, query, body)
        if method == "DELETE" and path in self.objects and body is not None:
            if body["preconditions"]["uid"] != self.objects[path]["metadata"]["uid"]:
                return 409, {"reason": "Conflict"}
            return 200, self.objects.pop(path)
        return 404, {"reason": "NotFound", "message": f"{path} not found"}

    def _list(self, path: str, query: dict[str, list[str]]) -> tuple[int, JsonObject]:
        start = int(query.get("continue", ["0"])[0])
        found = [obj for key, obj in sorted(self.objects.items()) if key.startswith(path + "/")]
        end = start + self.page
        more = {"continue": str(end)} if end < len(found) else {}
        return 200, {
            "kind": "XList",
            "apiVersion": "v1",
            "metadata": more,
            "items": found[start:end],
        }

    def _apply(
        self, path: str, query: dict[str, list[str]], body: JsonObject
    ) -> tuple[int, JsonObject]:
        namespace = body["metadata"].get("namespace")
        if namespace and f"/api/v1/namespaces/{namespace}" not in self.objects:
            return 404, {"reason": "NotFound", "message": f'namespaces "{namespace}" not found'}
        manager = query["fieldManager"][0]
        old = copy.deepcopy(self.objects.get(path, {"metadata": {}}))
        taken = [
            entry["manager"]
            for entry in old["metadata"].get("managedFields", [])
            if entry["manager"] != manager and old.get("data", body.get("data")) != body.get("data")
        ]
        if taken and query["force"] == ["false"]:
            causes = [{"field": ".data", "message": f'conflict with "{name}"'} for name in taken]
            return 409, {"reason": "Conflict", "details": {"causes": causes}}
        new = {**old, **copy.deepcopy(body)}
        new["metadata"] = {**old["metadata"], **body["metadata"]}
        owned: JsonObject = {
            f"f:{key}": {} for key in body if key not in ("apiVersion", "kind", "metadata")
        }
        new["metadata"]["managedFields"] = [
            {
                "manager": manager,
                "operation": "Apply",
                "apiVersion": body["apiVersion"],
                "fieldsV1": owned,
            }
        ]
        if "dryRun" in query:
            new["metadata"].setdefault("uid", "dry")
            return 200, new
        self.put(path, new)
        return 200, self.objects[path]


@contextmanager
def serving(server: KubeServer) -> Iterator[str]:
    """Yield the URL under which ``server`` answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            server.connections += 1
            super().setup()

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            # As the API server: what is applied is YAML, to which JSON is almost a subset.
            is_yaml = self.headers.get("Content-Type", "").endswith("yaml")
            read = yaml.safe_load if is_yaml else json.loads
            body = read(self.rfile.read(length).decode()) if length else None
            json.dumps(body, ensure_ascii=False).encode()  # half a pair is no character: fail
            status, answer = server.answer(self.command, self.path, body)
            payload = json.dumps(answer).encode()
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_PATCH = do_DELETE = _any

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def write_kubeconfig(path: Path, server: str, **user: str) -> str:
    """Write a kubeconfig for ``server`` to ``path`` and return the path."""
    document = {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(document))
    return str(path)
