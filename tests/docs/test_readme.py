"""Every command of the README and of the guide runs, in order, as a reader would type them.

They run in a checkout and an environment of their own, whose names take the place of `dev`'s, in
one shell that stops at the first failure. Lines that a page shows as output must be printed, in
that order, apart from what differs from run to run: `stable` says what that is. The last command
of the README, `make down`, runs last.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import PROJECT, examples, tracked

ENVIRONMENT = "readme"
README = examples(PROJECT / "README.md")
GUIDE = [example for page in tracked("docs/guide/*.md") for example in examples(page)]
EXAMPLES = [*README[:-1], *GUIDE, README[-1]]

# From nothing, on a slow machine: the images are made first.
_DEADLINE_SECONDS = 3600
_MARK = "=== example "

_VARIES = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(rf"\b(imooc-|state/|inventory/)(dev|{ENVIRONMENT})\b"), r"\1<environment>"),
    (re.compile(r"\b(localhost|127\.0\.0\.1):\d+"), r"\1:<port>"),
    (re.compile(r"\bsha256:[0-9a-f]+…?"), "sha256:<digest>"),
    (re.compile(r"\b(example-imoocpod-pod|imoocpod-operator-)[-\w]+"), r"\1<suffix>"),
    (re.compile(r"\b(\d+ (h|min|s|ms)( \d+ s)?|(\d+[dhms])+|\d+\.\d+ ?s)\b"), "<time>"),
    (re.compile(r"\"[0-9a-f]{16}\""), '"<hash>"'),
    (re.compile(r"^\s*(/registry/\S+ +\S+ +\S+)( +[-\d]+)+$"), r"\1 <numbers>"),
    (re.compile(r"\*{3,}"), "***"),
    (re.compile(r"\s+"), " "),
)


def ci_command() -> str:
    """Return the command that CI runs: it calls these tests, so they must not call it."""
    (command,) = re.findall(r"^exec (.+)$", (PROJECT / ".ci/run").read_text(encoding="utf-8"), re.M)
    return str(command)


def stable(line: str) -> str:
    """Return `line` without what differs from run to run or from environment to environment."""
    for pattern, replacement in _VARIES:
        line = pattern.sub(replacement, line)
    return line.strip()


def missing(shown: str, printed: str) -> list[str]:
    """Return the shown lines from the first on that was not printed in its place."""
    wanted = [line for line in map(stable, shown.splitlines()) if line]
    for line in map(stable, printed.splitlines()):
        if wanted and wanted[0] == line:
            wanted.pop(0)
    return wanted


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of what git tracks with an environment of its own, taken down at the end."""
    copy = tmp_path_factory.mktemp("checkout") / "project"
    for path in tracked():
        to = copy / path.relative_to(PROJECT)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)  # with times: `make` compares them
    for prepared in (".venv", "bin"):
        (PROJECT / prepared).mkdir(exist_ok=True)
        (copy / prepared).symlink_to(PROJECT / prepared)
    shutil.copytree(copy / "inventory/dev", copy / "inventory" / ENVIRONMENT)
    yield copy
    subprocess.run(["make", "down"], cwd=copy, env=environment(copy), check=True, timeout=300)


def environment(checkout: Path) -> dict[str, str]:
    """Return what the commands see: a reader's shell, without what `make` gave us.

    The default environment is ours instead of `dev`, for `make` and for Ansible.
    """
    path = [part for part in os.environ["PATH"].split(":") if not part.startswith(str(PROJECT))]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "MAKE", "MFLAGS"))
    }
    return kept | {
        "PATH": ":".join(path),
        "ENV": ENVIRONMENT,
        "ANSIBLE_INVENTORY": str(checkout / "inventory" / ENVIRONMENT),
        "LC_ALL": "C.UTF-8",
    }


def in_environment(commands: str) -> str:
    """Return the commands with the names of our environment in place of `dev`'s."""
    return commands.replace("imooc-dev", f"imooc-{ENVIRONMENT}").replace(
        "localhost:5000", "$REGISTRY"
    )


@pytest.fixture(scope="session")
def printed(checkout: Path) -> dict[int, str]:
    """What each example printed, by number, up to the first one that failed."""
    script = checkout.parent / "session.sh"
    script.write_text(
        "\n".join(
            f"printf '\\n{_MARK}{number}\\n'\n{in_environment(example.commands.text)}"
            for number, example in enumerate(EXAMPLES)
            if example.commands.text != ci_command()
        )
        + f"\nprintf '\\n{_MARK}{len(EXAMPLES)}\\n'\n",
        encoding="utf-8",
    )
    log = checkout.parent / "session.log"
    with log.open("wb") as output:
        subprocess.run(
            ["bash", "-e", "-o", "pipefail", script],
            cwd=checkout,
            env=environment(checkout),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_DEADLINE_SECONDS,
        )
    parts = re.split(rf"^{_MARK}(\d+)$", log.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert [example.commands.text for example in README].count(ci_command()) == 1


def test_the_readme_begins_with_up_and_ends_with_down() -> None:
    assert (README[0].commands.text, README[-1].commands.text) == ("make up", "make down")


@pytest.mark.timeout(_DEADLINE_SECONDS + 300)
@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[str(e.commands) for e in EXAMPLES])
def test_example_runs_and_prints_what_the_page_shows(printed: dict[int, str], number: int) -> None:
    example = EXAMPLES[number]
    if example.commands.text == ci_command():
        return
    if number not in printed:
        pytest.skip("not run: a command before it failed, which is reported there")
    said = printed[number]
    followed = any(later in printed for later in range(number + 1, len(EXAMPLES) + 1))
    assert followed, f"failed:\n{example.commands.text}\n{said[-4000:]}"
    if example.shown:
        assert missing(example.shown.text, said) == [], (
            f"{example.shown} shows it; printed:\n{said}"
        )
