"""Has everything that is missing: the steps, and what each needs.

Invariant: whatever a step leaves in the cache is complete (made in a folder of
this run, then renamed), so a run that was killed anywhere is finished by the
next one, and two runs never share a folder.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible.module_utils import (
    images_debian,
    images_engine,
    images_go,
    images_host,
    images_node,
    images_registry,
)
from ansible.module_utils.images_archive import layer_of_tree
from ansible.module_utils.images_files import have_folder
from ansible.module_utils.images_process import ImageError
from ansible.module_utils.images_recipe import key
from ansible.module_utils.images_state import Settings, State
from ansible.module_utils.images_steps import Step
from ansible.module_utils.progress import report

Say = Callable[[str], None]
_WORK = "work-"
# What a build writes below the cache folder at its peak, and some to spare.
_NODE_SPACE = 3 * 2**30
_SPACE = 2**29


@contextmanager
def workspace(cache: Path) -> Iterator[Path]:
    """Give a folder for this run, after removing what killed runs left behind.

    Only one run at a time works in a cache: a second one waits for its end, and
    then finds the work done.
    """
    have_folder(cache)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(f"waiting for another run that works in {cache}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in cache.glob(f"{_WORK}*"):
            shutil.rmtree(leftover)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=cache))
        work.chmod(0o755)
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


class Build:
    """The steps that make what `state` says is missing."""

    def __init__(self, settings: Settings, state: State, work: Path) -> None:
        self._settings = settings
        self._state = state
        self._work = work
        self._module = settings.files / "stack"
        self._programs = settings.cache / f"programs-{key('programs', settings.files)}"
        self._rootfs = settings.cache / f"rootfs-{key('rootfs', settings.files)}"
        self._versions = dict(state.recipes["node"].versions) | dict(
            state.recipes["registry"].versions
        )
        self._go: Path | None = None
        self._tools: images_host.DebianTools | None = None

    def steps(self) -> list[Step]:
        """Return the steps of everything that is missing and has to be made."""
        missing = self._state.missing
        if not missing:
            return []
        lacking = images_host.missing_commands()
        if lacking:
            raise ImageError(
                "making images from packages needs Debian or Ubuntu with "
                f"{', '.join(images_host.COMMANDS)}; missing here: {', '.join(lacking)}. "
                "Install them, or have the images pulled: images_source=pull, "
                "images_mirror=<host:port> where the home registry is out of reach"
            )
        needed = _NODE_SPACE if "node" in missing else _SPACE
        images_host.require_space(self._settings.cache, "images_cache_dir", needed)
        steps = [Step("debian", self._find_debian)]
        if "node" in missing:
            steps += [
                Step("rootfs", self._make_rootfs, needs=["debian"]),
                Step("node", self._make_node, needs=["rootfs", "go"]),
            ]
        if "registry" in missing:
            steps.append(Step("registry", self._make_registry, needs=["go"]))
        if "python" in missing:
            steps.append(Step("python", self._make_python, needs=["debian"]))
        if "busybox" in missing:
            steps.append(Step("busybox", self._make_busybox, needs=["debian"]))
        return steps

    def compile_step(self, tools: bool) -> list[Step]:
        """Return the step that compiles all programs that are needed, if any."""
        made = self._state.missing if self._state.makes else ()
        wanted = [name for name in ("node", "registry") if name in made]
        if tools:
            wanted.append("tools")
        if not wanted:
            return []
        return [Step("go", lambda say: self._compile(wanted, say))]

    def program(self, name: str) -> Path:
        """Return the path of a compiled program."""
        path: Path = self._programs / name
        return path

    def _folder(self, name: str) -> Path:
        folder = self._work / name
        folder.mkdir()
        return folder

    def _compile(self, wanted: list[str], say: Say) -> None:
        work = self._folder("go-work")
        go = images_go.find_go(self._module, self._settings.cache)
        if go is None:
            say("installing Go")
            go = images_go.install_go(self._module, self._settings.cache, work)
        self._go = go
        say("loading modules")
        images_go.compile_programs(
            go,
            self._module,
            wanted,
            self._versions,
            self._programs,
            work,
            # What Go says itself ("go: downloading …") is no package that it compiles.
            lambda line: say(line.removeprefix("compiling go: ")),
        )

    def _find_debian(self, say: Say) -> None:
        say("looking for a mirror")
        self._tools = images_host.prepare(
            self._settings.files / "debian" / "fetch_own.sh",
            self._settings.cache,
            self._folder("debian"),
            self._settings.debian_mirror,
        )

    def _debian(self) -> images_host.DebianTools:
        if self._tools is None:
            raise RuntimeError("the step 'debian' has not run")
        return self._tools

    def _make_rootfs(self, say: Say) -> None:
        if self._rootfs.is_dir():
            return
        files = self._settings.files / "node"
        target = self._folder("rootfs-work") / "root"
        cache = self._settings.cache / "debs"
        images_node.root_filesystem(
            files / "rootfs.sh",
            files / "packages.txt",
            target,
            cache,
            self._debian(),
            lambda line: say(line.removeprefix("I: ")),  # debootstrap's mark of no complaint
        )
        target.rename(self._rootfs)

    def _make_node(self, say: Say) -> None:
        recipe = self._state.recipes["node"]
        work = self._folder("node")
        files = self._settings.files / "node"
        if self._go is None:
            raise RuntimeError("the step 'go' has not run")
        wanted = images_node.required_images(self._programs, work, recipe.version)
        say("packing the component images")
        components = images_node.component_images(
            self._programs, self._rootfs, work, wanted, recipe.version
        )
        say("packing the root file system")
        kind = images_go.module_folder(self._go, self._module, "sigs.k8s.io/kind")
        layers = [
            layer_of_tree(work / "rootfs.tar", self._rootfs),
            images_node.programs_layer(
                self._programs, kind, files / "files", files / "manifests", work, recipe.version
            ),
        ]
        say("importing the component images")
        debian = (self._rootfs / "etc/debian_version").read_text(encoding="utf-8").strip()
        images_node.assemble(
            recipe.reference,
            layers,
            components,
            files / "assemble.sh",
            wanted["pause"],
            recipe.labels({"debian": debian, "go": images_go.go_version(self._go)}),
            work,
            self._settings.cache,
        )

    def _make_registry(self, say: Say) -> None:
        recipe = self._state.recipes["registry"]
        if self._go is None:
            raise RuntimeError("the step 'go' has not run")
        say("packing")
        archive = images_registry.registry_archive(
            recipe.reference,
            self._programs,
            self._settings.files / "registry" / "config.yml",
            recipe.labels({"go": images_go.go_version(self._go)}),
            self._folder("registry"),
        )
        images_engine.load(archive)

    def _make_python(self, say: Say) -> None:
        recipe = self._state.recipes["python"]
        files = self._settings.files
        work = self._folder("python")
        say("downloading packages")
        names = images_debian.read_list(files / "python" / "packages.txt")
        packages = images_debian.fetch(files / "debian" / "fetch.sh", names, work, self._debian())
        say("packing")
        archive = images_debian.python_archive(
            recipe.reference,
            packages,
            images_debian.read_list(files / "python" / "remove.txt"),
            recipe.labels(images_debian.package_versions(packages)),
            work,
        )
        images_engine.load(archive)

    def _make_busybox(self, say: Say) -> None:
        recipe = self._state.recipes["busybox"]
        work = self._folder("busybox")
        say("downloading packages")
        packages = images_debian.fetch(
            self._settings.files / "debian" / "fetch.sh",
            ["busybox-static"],
            work,
            self._debian(),
        )
        archive = images_debian.busybox_archive(
            recipe.reference,
            packages,
            recipe.labels(images_debian.package_versions(packages)),
            work,
        )
        images_engine.load(archive)


def forget_old(settings: Settings) -> None:
    """Remove programs and root file systems of earlier recipes from the cache."""
    for kind in ("programs", "rootfs"):
        current = f"{kind}-{key(kind, settings.files)}"
        for folder in settings.cache.glob(f"{kind}-*"):
            if folder.name != current:
                shutil.rmtree(folder)
