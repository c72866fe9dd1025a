"""The recipe of the node image: what kind expects of one, made from packages.

Debian's root file system, kind's own node files, one binary that is every
Kubernetes program, and the component images in containerd. That binary is in
one layer that all component images share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ansible.module_utils.images_archive import (
    File,
    Image,
    Layer,
    layer_of_files,
    write_archive,
)
from ansible.module_utils.images_engine import Builder, load
from ansible.module_utils.images_host import DebianTools
from ansible.module_utils.images_process import ImageError, run

# Debian 13's systemd refuses cgroup v1.
SUITE = "bookworm"
PROGRAMS = ("kubeadm", "kubectl", "kubelet")
COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "node-agent",
)
CNI_PLUGINS = ("host-local", "loopback", "portmap", "ptp")
CONTAINERD = ("containerd", "containerd-shim-runc-v2", "ctr")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Say = Callable[[str], None]
_AGENT_IMAGE = "imooc.local/node-agent"


def required_images(binaries: Path, work: Path, version: str) -> dict[str, str]:
    """Return the images this kubeadm wants, by short name (`etcd`, `pause`, …)."""
    kubeadm = work / "kubeadm"
    kubeadm.symlink_to(binaries / "kubernetes")
    listed = run(
        "ask kubeadm for its images",
        [kubeadm, "config", "images", "list", "--kubernetes-version", version],
    )
    names = {line.rsplit("/", 1)[1].split(":")[0]: line for line in listed.split() if ":" in line}
    missing = {"etcd", "pause", "coredns", *COMPONENTS[:-1]} - names.keys()
    if missing:
        raise ImageError(f"kubeadm {version} names no image for: {', '.join(sorted(missing))}")
    return names


def packet_filters(rootfs: Path) -> list[File]:
    """Return the iptables and nftables programs of `rootfs` with all they load.

    kube-proxy and the node agent call them; the rest of Debian is not needed.
    """
    programs = ["/usr/sbin/nft", "/usr/sbin/xtables-legacy-multi", "/usr/sbin/xtables-nft-multi"]
    extensions = [
        f"/{path.relative_to(rootfs)}" for path in (rootfs / "usr/lib").glob("*/xtables/*.so")
    ]
    loaded = run("find shared libraries", ["chroot", rootfs, "ldd", *programs, *extensions])
    libraries = {word for word in loaded.split() if word.startswith("/") and ":" not in word}
    files = [
        File(name.lstrip("/"), source=rootfs / name.lstrip("/"))
        for name in sorted({*programs, *extensions, *libraries})
    ]
    for mode in ("legacy", "nft"):
        for name in ("iptables", "ip6tables"):
            for action in ("", "-save", "-restore"):
                link = f"usr/lib/iptables-{mode}/{name}{action}"
                files.append(File(link, link=f"/usr/sbin/xtables-{mode}-multi"))
    return files


def component_images(
    binaries: Path, rootfs: Path, work: Path, wanted: Mapping[str, str], version: str
) -> Path:
    """Write one archive of all images that run in the cluster."""
    kubernetes = layer_of_files(
        work / "kubernetes.tar",
        [
            File("usr/local/bin/kubernetes", source=binaries / "kubernetes"),
            *(File(f"usr/local/bin/{name}", link="kubernetes") for name in COMPONENTS),
            *packet_filters(rootfs),
        ],
    )
    wanted = {**wanted, "node-agent": f"{_AGENT_IMAGE}:{version}"}
    images = [
        Image([wanted[name]], [kubernetes], entrypoint=[f"/usr/local/bin/{name}"], env=[PATH])
        for name in COMPONENTS
    ]
    etcd = [("server", "etcd"), ("etcdctl", "etcdctl"), ("etcdutl", "etcdutl")]
    for name, files in {
        "etcd": [File(f"usr/local/bin/{to}", source=binaries / of) for of, to in etcd],
        "coredns": [File("coredns", source=binaries / "coredns")],
        "pause": [File("pause", source=binaries / "pause")],
    }.items():
        layer = layer_of_files(work / f"{name}.tar", files)
        start = ["/usr/local/bin/etcd"] if name == "etcd" else [f"/{name}"]
        images.append(Image([wanted[name]], [layer], entrypoint=start, env=[PATH]))
    archive = work / "components.tar"
    write_archive(archive, images)
    return archive


def programs_layer(
    binaries: Path, kind: Path, overlay: Path, manifests: Path, work: Path, version: str
) -> Layer:
    """Write the layer of everything that lies on top of Debian's files.

    Args:
        kind: the kind module's own folder; its node files are taken from there.
        overlay: our files, named as in the image.
    """
    base = kind / "images" / "base" / "files"
    files = {f"usr/bin/{name}": File(f"usr/bin/{name}", link="kubernetes") for name in PROGRAMS}
    files["usr/bin/kubernetes"] = File("usr/bin/kubernetes", source=binaries / "kubernetes")
    for name in CONTAINERD:
        files[name] = File(f"usr/local/bin/{name}", source=binaries / name)
    for name in CNI_PLUGINS:
        files[name] = File(f"opt/cni/bin/{name}", source=binaries / name)
    for root in (base, overlay):
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            name = str(path.relative_to(root))
            program = name.startswith(("kind/bin/", "usr/local/bin/"))
            files[name] = File(name, source=path, mode=0o755 if program else 0o644)
    for path in sorted(manifests.glob("*.yaml")):
        text = path.read_text(encoding="utf-8").replace("@VERSION@", version)
        name = f"kind/manifests/{path.name}"
        files[name] = File(name, content=text.encode(), mode=0o644)
    files["kind/version"] = File("kind/version", content=version.encode(), mode=0o644)
    return layer_of_files(work / "programs.tar", files.values())


def root_filesystem(
    script: Path, packages: Path, target: Path, cache: Path, tools: DebianTools, say: Say
) -> None:
    """Make Debian's files in the folder `target`.

    In a process and mount namespace of its own: whatever happens, nothing that
    was mounted or started inside outlives the script.
    """
    run(
        "make the node's root file system",
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *(script, target, SUITE, cache, packages),
            *(tools.debootstrap, tools.keyring, tools.mirror),
        ],
        env=tools.environment,
        on_line=say,
    )


def assemble(
    reference: str,
    layers: Sequence[Layer],
    components: Path,
    script: Path,
    pause: str,
    labels: Mapping[str, str],
    work: Path,
    cache: Path,
) -> None:
    """Make the node image of its layers and the component images."""
    builder = Builder(cache)
    archive = work / "base.tar"
    base = Image([builder.base], layers, env=[PATH, "container=docker"])
    write_archive(archive, [base])
    load(archive)
    archive.unlink()
    with builder:
        builder.script(
            "import the component images",
            script.read_text(encoding="utf-8"),
            [pause],
            components,
        )
        builder.commit(
            reference,
            labels,
            [
                'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
                "STOPSIGNAL SIGRTMIN+3",
            ],
        )
