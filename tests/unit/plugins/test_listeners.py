"""Who listens on a port, read from the kernel's own tables."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from ansible.module_utils.listeners import conflicts, find_listeners


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_our_own_socket_is_found(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as listener:
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}")
        listener.listen()
        port = listener.getsockname()[1]
        [found] = find_listeners([port])
    assert (found.port, found.address, found.pid) == (port, address, os.getpid())
    assert "python" in found.command or "pytest" in found.command
    assert find_listeners([port]) == []


def test_a_socket_of_somebody_else_is_named_by_its_user(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout\n"
        "   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n"
        "   1: 0100007F:1388 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 78 1\n"
    )
    [found] = find_listeners([5000], tmp_path)
    assert (found.address, found.pid, found.command) == ("127.0.0.1", 0, "a process of user root")


@pytest.mark.parametrize(
    ("listening", "wanted", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),  # noqa: S104 - compared with, not bound
        ("::", "127.0.0.1", True),
        ("10.0.0.7", "0.0.0.0", True),  # noqa: S104 - compared with, not bound
        ("10.0.0.7", "127.0.0.1", False),
    ],
)
def test_conflicts(listening: str, wanted: str, expected: bool) -> None:
    assert conflicts(listening, wanted) is expected
