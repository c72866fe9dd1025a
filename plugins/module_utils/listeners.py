"""Find out which processes listen on a TCP port of this machine.

Invariant: reads /proc only; a process that may not be looked into is named by its user instead.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path

_LISTEN = "0A"


@dataclasses.dataclass(frozen=True)
class Listener:
    """A listening TCP socket; ``pid`` is 0 where the process belongs to somebody else."""

    port: int
    address: str
    pid: int
    command: str


@dataclasses.dataclass(frozen=True)
class _Socket:
    address: str
    port: int
    uid: int
    inode: str


def find_listeners(ports: Iterable[int], proc: Path = Path("/proc")) -> list[Listener]:
    """Return who listens on one of ``ports``, on any address."""
    wanted = set(ports)
    sockets = [found for found in _sockets(proc) if found.port in wanted]
    owners = _owners({found.inode for found in sockets}, proc) if sockets else {}
    return [
        Listener(found.port, found.address, *owners.get(found.inode, (0, _user(found.uid))))
        for found in sockets
    ]


def _sockets(proc: Path) -> Iterator[_Socket]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:  # a kernel without IPv6 has no tcp6
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN:
                address, port = fields[1].split(":")
                yield _Socket(_address(address), int(port, 16), int(fields[7]), fields[9])


def _address(raw: str) -> str:
    """Return the text of an address that the kernel prints as 32-bit words in host order."""
    words = [bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _owners(inodes: set[str], proc: Path) -> dict[str, tuple[int, str]]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, tuple[int, str]] = {}
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if inode := wanted.get(str(descriptor.readlink())):
                    owners.setdefault(inode, (int(process.name), _command(process)))
        except OSError:  # it ended while being read, or is not ours to look into
            continue
    return owners


def _command(process: Path) -> str:
    words = (process / "cmdline").read_bytes().split(b"\0")
    return b" ".join(word for word in words if word).decode(errors="replace")[:80]


def _user(uid: int) -> str:
    try:
        return f"a process of user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"a process of user {uid}"


def conflicts(listening: str, wanted: str) -> bool:
    """Return whether a socket on address ``listening`` keeps ``wanted`` from being bound."""
    everything = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound
    return listening == wanted or listening in everything or wanted in everything
