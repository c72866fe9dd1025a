"""Programs: their output is passed on, their failure explained, their life bound to ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.module_utils.images_process import ImageError, cure, run


def test_output_is_returned_and_told_line_by_line() -> None:
    lines: list[str] = []
    output = run("talk", ["sh", "-c", "echo one; echo two >&2"], on_line=lines.append)
    assert output.splitlines() == ["one", "two"]
    assert lines == ["one", "two"]


def test_a_failure_has_the_last_lines() -> None:
    with pytest.raises(ImageError, match=r"compile failed \(exit 3\)[\s\S]*missing go.sum entry"):
        run("compile", ["sh", "-c", "echo missing go.sum entry; exit 3"])


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("write /x: no space left on device", "images_cache_dir"),
        ("dial tcp: lookup proxy: no such host", "GOPROXY"),
        ("E: Failed getting release file http://x", "images_debian_mirror"),
        ("undefined: foo", ""),
    ],
)
def test_a_failure_of_the_machine_has_a_cure(output: str, names: str) -> None:
    assert (names in cure(output)) if names else cure(output) == ""


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ImageError, match="no-such-program"):
        run("try", ["no-such-program"])


def test_a_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import ansible.module_utils, sys;"
        "ansible.module_utils.__path__.append(sys.argv[1]);"
        "from ansible.module_utils.images_process import run;"
        "run('wait', ['sh', '-c', f'echo $$ > {sys.argv[2]}; exec sleep 60'])"
    )
    utils = Path(__file__).resolve().parents[3] / "plugins" / "module_utils"
    parent = subprocess.Popen([sys.executable, "-c", code, str(utils), str(pid_file)])
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline, "the program did not start"
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    pid = int(pid_file.read_text())
    while alive(pid):
        assert time.monotonic() < deadline, "the program outlived its parent"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that has ended but that nobody has reaped yet is dead, too.
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
