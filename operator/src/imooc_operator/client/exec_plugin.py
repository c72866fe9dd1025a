"""Credentials from a program, as kubeconfigs of most cloud providers have them.

The protocol is client.authentication.k8s.io/v1 (and v1beta1): the program prints an ExecCredential.
Invariant: the event loop never waits for the program; while it runs, the old token serves on.
"""

import asyncio
import json
import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

import msgspec

from .config import ConfigError, Token, bearer

log = logging.getLogger(__name__)

TIMEOUT = 60.0
"""Seconds the program may take: some of them ask an identity provider on another continent."""

EARLY = 60.0
"""Seconds before its end that a token is renewed."""


class _Variable(TypedDict):
    name: str
    value: str


class Entry(TypedDict, total=False):
    """What a kubeconfig says of a program."""

    apiVersion: str | None
    command: str | None
    args: list[str] | None
    env: list[_Variable] | None
    installHint: str | None


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct):
    status: _Status


@dataclass(frozen=True, slots=True)
class Credential:
    """What a program answered; `lifetime` is in seconds, None for ever."""

    token: str
    certificate: tuple[bytes, bytes] | None
    lifetime: float | None


@dataclass(frozen=True, slots=True)
class Program:
    """How to ask for a credential."""

    command: Sequence[str]
    environment: Mapping[str, str]
    api_version: str
    hint: str

    def ask(self) -> Credential:
        """Run the program and return its answer; raise ConfigError when it has none."""
        info = {
            "apiVersion": self.api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        environment = {
            **os.environ,
            **self.environment,
            "KUBERNETES_EXEC_INFO": json.dumps(info),
        }
        try:
            # The kubeconfig is the user's own: running what it names is what was asked for.
            done = subprocess.run(
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT,
                check=True,
            )
            status = msgspec.json.decode(done.stdout, type=_ExecCredential).status
        except FileNotFoundError as error:
            hint = f" ({self.hint})" if self.hint else ""
            raise ConfigError(f"there is no program {self.command[0]!r}{hint}") from error
        except subprocess.CalledProcessError as error:
            said = " ".join(error.stderr.decode(errors="replace").split())[-200:]
            raise ConfigError(f"{self.command[0]!r} failed: {said}") from error
        except (OSError, ValueError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
            raise ConfigError(f"{self.command[0]!r} gave no credential: {error}") from error
        pair = (status.client_certificate_data, status.client_key_data)
        if not status.token and not all(pair):
            raise ConfigError(f"{self.command[0]!r} gave neither a token nor a certificate")
        ends = status.expiration_timestamp
        return Credential(
            token=status.token,
            certificate=(pair[0].encode(), pair[1].encode()) if all(pair) else None,
            lifetime=(ends - datetime.now(UTC)).total_seconds() if ends else None,
        )


class ExecToken(Token):
    """A token that its program renews, in a thread, before it ends or when it is refused."""

    def __init__(self, program: Program, first: Credential) -> None:
        super().__init__(first.token)
        self._program = program
        self._lifetime = first.lifetime
        self._ends: float | None = None
        self._refused = False
        self._renewing: asyncio.Future[None] | None = None

    def header(self, now: float) -> str:
        """Return the Authorization header line; start a renewal when it is time for one."""
        if self._ends is None and self._lifetime is not None:
            self._ends = now + self._lifetime
        due = self._refused or (self._ends is not None and now > self._ends - EARLY)
        if due and self._renewing is None:
            self._renewing = asyncio.ensure_future(self._renew())
        return self._header

    def expire(self) -> None:
        """Renew before the next request: the API server refused this token."""
        self._refused = True

    async def _renew(self) -> None:
        try:
            answer = await asyncio.to_thread(self._program.ask)
        except ConfigError as error:
            log.warning("token not renewed", extra={"reason": str(error)})
        else:
            self._header = bearer(answer.token)
            self._lifetime, self._ends = answer.lifetime, None
            self._refused = False
        finally:
            self._renewing = None


def program(entry: Entry, origin: str) -> Program:
    """Return the program that a kubeconfig's user names."""
    version = entry.get("apiVersion") or ""
    if not version.startswith("client.authentication.k8s.io/v1"):
        raise ConfigError(f"{origin}: exec has apiVersion {version!r}, known are v1 and v1beta1")
    if not (command := entry.get("command")):
        raise ConfigError(f"{origin}: exec names no command")
    return Program(
        command=[command, *(entry.get("args") or ())],
        environment={variable["name"]: variable["value"] for variable in entry.get("env") or ()},
        api_version=version,
        hint=" ".join((entry.get("installHint") or "").split()),
    )
