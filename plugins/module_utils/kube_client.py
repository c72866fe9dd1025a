"""A small client for the Kubernetes API: one cluster, one keep-alive connection, standard library.

The official client takes 1 to 2 s to import, more than most steps of a run take in all.

Invariant: every failure is a KubeError (the API server answered, and refused) or a KubeUnreachable
(it did not answer as itself); each says what was asked of which path.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ansible.module_utils import kube_config

JsonObject = dict[str, Any]
JsonObjects = list[JsonObject]

APPLY = "application/apply-patch+yaml"  # JSON is YAML, but see _encoded
PAGE = 500
BUSY = (429, 503)
BUSY_RETRIES = 5
BUSY_DELAY = 1.0  # seconds, where the server names none


class KubeUnreachable(Exception):
    """No API server answers under the kubeconfig's address, or one of another cluster does."""


class KubeError(Exception):
    """The API server refused a request: HTTP ``status``, ``reason`` (a word), ``message``."""

    def __init__(self, request: str, status: int, body: JsonObject) -> None:
        self.status = status
        self.reason = str(body.get("reason") or http.client.responses.get(status, ""))
        self.message = str(body.get("message") or "no message")
        self.causes: JsonObjects = (body.get("details") or {}).get("causes") or []
        stale = "; the kubeconfig's credentials have expired or are another cluster's"
        told = f"{self.message}{stale if status == 401 else ''}"
        super().__init__(f"{request}: {status} {self.reason}: {told}")


class KindNotServed(Exception):
    """The cluster serves no such kind: its CustomResourceDefinition is not there (yet)."""


class KubeClient:
    """One connection to one API server. Not for use by several threads."""

    def __init__(self, target: kube_config.Target, timeout: float = 10) -> None:
        self.server = target.server
        self.namespace = target.namespace
        self._headers = {"Accept": "application/json", **target.headers}
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}
        url = urlsplit(target.server)
        self._prefix = url.path
        if target.tls is None:
            self._http = http.client.HTTPConnection(url.netloc, timeout=timeout)
        else:
            self._http = http.client.HTTPSConnection(
                url.netloc, timeout=timeout, context=target.tls
            )

    @classmethod
    def from_kubeconfig(
        cls, path: str, context: str | None = None, timeout: float = 10
    ) -> KubeClient:
        """Return a client for ``context``; no request is made yet. Errors: KubeConfigError."""
        return cls(kube_config.load(path, context), timeout)

    def __enter__(self) -> KubeClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        query: Mapping[str, Any] | None = None,
        content_type: str | None = None,
        accept: str | None = None,
    ) -> tuple[int, JsonObject]:
        """Return HTTP status and decoded answer; from 400 on raise KubeError.

        A server that is busy (429, 503) is asked again, as it demands, a bounded number of times:
        it refused before doing anything.
        """
        for attempt in range(BUSY_RETRIES + 1):
            status, headers, raw = self._exchange(method, path, body, query, content_type, accept)
            if status not in BUSY or attempt == BUSY_RETRIES:
                break
            time.sleep(_retry_after(headers))
        answer = _decode(raw)
        if status >= 400:
            raise KubeError(f"{method} {path}", status, answer)
        return status, answer

    def text(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Return the plain-text answer of a GET, such as a container's log."""
        status, _, raw = self._exchange("GET", path, None, query, None)
        if status >= 400:
            raise KubeError(f"GET {path}", status, _decode(raw))
        return raw.decode(errors="replace")

    def get(self, path: str) -> JsonObject | None:
        """Return the object at ``path``, None where there is none."""
        try:
            return self.request("GET", path)[1]
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(self, path: str, **query: Any) -> JsonObjects:
        """Return all objects of a collection, page by page, each with its apiVersion and kind."""
        items: JsonObjects = []
        query["limit"] = PAGE
        while True:
            page = self.request("GET", path, query=query)[1]
            kind = str(page.get("kind", "")).removesuffix("List")
            common = {"apiVersion": page.get("apiVersion"), "kind": kind}
            items += [{**common, **item} for item in page.get("items") or []]
            query["continue"] = (page.get("metadata") or {}).get("continue")
            if not query["continue"]:
                return items

    def apply(
        self, obj: JsonObject, field_manager: str, force: bool = True, dry_run: bool = False
    ) -> JsonObject:
        """Return the object after a server-side apply; ``dry_run`` computes it and stores nothing.

        Without ``force`` a field that another manager set to another value is a KubeError 409.
        """
        query = {"fieldManager": field_manager, "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", self.path_of(obj), obj, query, APPLY)[1]

    def delete(self, obj: JsonObject, propagation: str = "Background") -> bool:
        """Delete this very object (its uid is the precondition); False where it was gone."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
            "preconditions": {"uid": obj["metadata"]["uid"]},
        }
        try:
            self.request("DELETE", self.path_of(obj), options)
        except KubeError as error:
            if error.status in (404, 409):  # gone, or another object took the name meanwhile
                return False
            raise
        return True

    def path_of(self, obj: JsonObject) -> str:
        """Return the REST path of an object, found by discovery. Errors: KindNotServed."""
        metadata = obj["metadata"]
        namespace = metadata.get("namespace") or self.namespace
        collection = self.collection(obj["apiVersion"], obj["kind"], namespace)
        return f"{collection}/{quote(metadata['name'], safe='')}"

    def collection(self, api_version: str, kind: str, namespace: str | None = None) -> str:
        """Return the path of all objects of a kind, in ``namespace`` if the kind has one."""
        plural, namespaced = self._discover(api_version, kind)
        scope = f"namespaces/{quote(namespace, safe='')}/" if namespaced and namespace else ""
        return f"{_group_path(api_version)}/{scope}{plural}"

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Return whether objects of the kind live in a namespace. Errors: KindNotServed."""
        return self._discover(api_version, kind)[1]

    def _discover(self, api_version: str, kind: str) -> tuple[str, bool]:
        """Return plural and scope of a kind; what was found is asked for once per client."""
        known = self._kinds.get(api_version, {})
        if kind not in known:
            resources = (self.get(_group_path(api_version)) or {}).get("resources") or []
            known = {
                item["kind"]: (item["name"], bool(item["namespaced"]))
                for item in resources
                if "/" not in item["name"]  # a subresource such as deployments/scale
            }
            self._kinds[api_version] = known
        if kind not in known:
            raise KindNotServed(f"{self.server} serves no kind {kind} in {api_version}")
        return known[kind]

    def _exchange(
        self,
        method: str,
        path: str,
        body: JsonObject | None,
        query: Mapping[str, Any] | None,
        content_type: str | None,
        accept: str | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send one request; on a kept connection that the server closed meanwhile, once more."""
        pairs = {key: value for key, value in (query or {}).items() if value is not None}
        url = f"{self._prefix}{path}" + (f"?{urlencode(pairs)}" if pairs else "")
        payload = None if body is None else _encoded(body)
        headers = {**self._headers, **({"Accept": accept} if accept else {})}
        if payload is not None:
            headers["Content-Type"] = content_type or "application/json"
        reused = self._http.sock is not None
        try:
            self._http.request(method, url, payload, headers)
            response = self._http.getresponse()
            return response.status, response.headers, response.read()
        except (http.client.HTTPException, ConnectionError) as error:
            self._http.close()
            # All our requests may be repeated: reads, applies, and deletes bound to one uid.
            if reused:
                return self._exchange(method, path, body, query, content_type, accept)
            raise self._unreachable(method, path, error) from error
        except OSError as error:
            self._http.close()
            raise self._unreachable(method, path, error) from error

    def _unreachable(self, method: str, path: str, error: Exception) -> KubeUnreachable:
        if isinstance(error, ssl.SSLCertVerificationError):
            why = (
                f"its certificate is not the kubeconfig's authority's ({error.verify_message}): "
                "another cluster listens there, or the kubeconfig is stale"
            )
        elif isinstance(error, socket.gaierror):
            why = "its host name does not resolve"
        elif isinstance(error, TimeoutError):
            why = f"no answer within {self._http.timeout:g} s"
        else:
            why = str(error) or type(error).__name__
        return KubeUnreachable(f"no cluster answers at {self.server} ({method} {path}): {why}")


def _group_path(api_version: str) -> str:
    """Return where a group and version is served: the core group has a root of its own."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _retry_after(headers: http.client.HTTPMessage) -> float:
    """Return for how many seconds the server wants to be left alone."""
    value = headers.get("Retry-After", "")
    return min(float(value), 10.0) if value.isdigit() else BUSY_DELAY


def _decode(raw: bytes) -> JsonObject:
    """Return the JSON object of an answer; what is not one becomes the message of a status."""
    try:
        value = json.loads(raw or b"{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"message": raw[:500].decode(errors="replace")}


_NOT_RAW = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def _encoded(body: JsonObject) -> bytes:
    r"""Return the body as JSON that is YAML too.

    YAML knows no pairs of escapes as JSON has them for an emoji (`\ud83d\ude00`), so characters
    stand for themselves; except those that YAML takes for line breaks or does not allow.
    """
    text = json.dumps(body, ensure_ascii=False)
    return _NOT_RAW.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
