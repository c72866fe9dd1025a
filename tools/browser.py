"""Drive a headless Chromium over its DevTools protocol: open a page, press keys, take pictures.

Standard library only: the protocol is JSON over two pipes, which needs neither a port nor a driver
of the browser's own version. https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_VARIABLE = "IMOOC_BROWSER"
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_PACKAGES = ("chromium-headless-shell", "fonts-inter", "fonts-jetbrains-mono")
_FLAGS = (
    "--headless",
    "--no-sandbox",  # root has no other choice, and only pages of this project are opened
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_ANSWER_SECONDS = 30.0
_KEYS = {"Tab": 9, "Enter": 13}


class BrowserError(Exception):
    """There is no browser, or it refused a command; the message says which."""


def find() -> str:
    """Return the path of a browser; where there is none and apt can, install Debian's."""
    if named := os.environ.get(_VARIABLE):
        return named
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {' '.join(_PACKAGES)}", file=sys.stderr)
        install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *_PACKAGES]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "--quiet"], install):
            subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
        found = shutil.which(_NAMES[0])
    if found is None:
        raise BrowserError(f"no browser: install {_PACKAGES[0]}, or name one: {_VARIABLE}=…")
    return found


@dataclass
class Page:
    """One open page. ``events`` holds what the browser reported of it, oldest first."""

    browser: Browser
    session: str
    events: list[Json] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> Json:
        """Send a command of the protocol and return its result."""
        return self.browser.call(method, parameters, self.session)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, as JSON."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key as a person would."""
        code = _KEYS[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, to: Path) -> None:
        """Write what a person sees without scrolling as a PNG."""
        answer = self.call("Page.captureScreenshot", format="png")
        to.write_bytes(base64.b64decode(answer["data"]))


class Browser:
    """A running browser; use `launched` to get one."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers: dict[int, Json] = {}
        self._arrived = threading.Condition()
        self._pages: dict[str, Page] = {}
        self._count = 0
        self._closed = False
        threading.Thread(target=self._read, args=(answers,), daemon=True).start()

    def call(self, method: str, parameters: Json, session: str | None = None) -> Json:
        """Return the result of a command. Errors: BrowserError, also when no answer comes."""
        with self._arrived:
            self._count += 1
            number = self._count
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        with self._arrived:
            self._arrived.wait_for(lambda: number in self._answers or self._closed, _ANSWER_SECONDS)
            answer = self._answers.pop(number, None)
        if answer is None or "error" in answer:
            raise BrowserError(f"{method}: {(answer or {}).get('error', 'no answer')}")
        result: Json = answer["result"]
        return result

    @contextlib.contextmanager
    def open(
        self, path: Path, width: int = 1280, height: int = 900, dark: bool = False, scale: int = 1
    ) -> Iterator[Page]:
        """Yield the page of a file once it has loaded, at a size and in a colour scheme."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        page = Page(self, attached["sessionId"])
        self._pages[page.session] = page
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {
            "name": "prefers-reduced-motion",
            "value": "reduce",
        }  # a key's effect is seen at once
        page.call("Emulation.setEmulatedMedia", features=[scheme, still])
        page.call("Page.navigate", url=path.resolve().as_uri())
        with self._arrived:
            loaded = self._arrived.wait_for(
                lambda: any(event["method"] == "Page.loadEventFired" for event in page.events),
                _ANSWER_SECONDS,
            )
        if not loaded:
            raise BrowserError(f"{path} did not load")
        try:
            yield page
        finally:
            self.call("Target.closeTarget", {"targetId": target})

    def _read(self, answers: int) -> None:
        with os.fdopen(answers, "rb") as stream:
            rest = b""
            while chunk := stream.read1(65536):
                *messages, rest = (rest + chunk).split(b"\0")
                with self._arrived:
                    for message in map(json.loads, messages):
                        self._take(message)
                    self._arrived.notify_all()
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    def _take(self, message: Json) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif page := self._pages.get(message.get("sessionId", "")):
            page.events.append(message)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Yield a browser with a profile of its own, and end it and its children afterwards."""
    program = find()
    from_us, commands = os.pipe()
    answers, to_us = os.pipe()
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        # The browser reads from descriptor 3 and writes to 4. Pipes are numbered upwards, so that
        # ours are still open when their turn comes.
        redirect = f'exec "$@" 3<&{from_us} 4>&{to_us}'
        process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", program, *_FLAGS, f"--user-data-dir={profile}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(from_us, to_us),
            start_new_session=True,
        )
        os.close(from_us)
        os.close(to_us)
        try:
            yield Browser(commands, answers)
        finally:
            os.close(commands)  # which tells it to end
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
