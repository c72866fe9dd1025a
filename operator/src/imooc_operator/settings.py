"""What a user can choose, from flags and environment, validated once.

Invariant: a Settings object is usable as it is; everything wrong ends the program with exit code 2.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import __version__

LEASE = "imoocpod-operator"
"""The name of the lease that replicas compete for."""

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_EPILOG = """\
Flags win over environment variables. Without --kubeconfig, KUBECONFIG and --context the operator
uses the service account of the pod it runs in, else ~/.kube/config. Exit code 2 means: a wrong
flag, or an unusable kubeconfig or address.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """All choices; no `namespaces` means all of them, no `context` the current, address "0" off."""

    namespaces: tuple[str, ...]
    pod_image: str
    kubeconfig: tuple[Path, ...]
    context: str
    metrics_address: str
    health_address: str
    leader_elect: bool
    dry_run: bool
    log_format: str
    log_level: str


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parse(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings; print and exit like any command on --help, --version or a mistake."""
    chosen = flags(environ).parse_args(arguments)
    return Settings(
        namespaces=chosen.namespaces,
        pod_image=chosen.pod_image,
        kubeconfig=chosen.kubeconfig,
        context=chosen.context,
        metrics_address=chosen.metrics_bind_address,
        health_address=chosen.health_probe_bind_address,
        leader_elect=chosen.leader_elect,
        dry_run=chosen.dry_run,
        log_format=chosen.log_format,
        log_level=chosen.log_level,
    )


def flags(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser of the flags, with the defaults that the environment gives."""
    parser = _Parser(
        prog="imooc-operator",
        description="Keep as many pods running as each ImoocPod (k8s.imooc.com/v1alpha1) asks for.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--namespaces",
        metavar="A,B",
        type=_namespaces,
        default=environ.get("WATCH_NAMESPACES", ""),
        help="watch only these namespaces (env WATCH_NAMESPACES; default: all)",
    )
    parser.add_argument(
        "--pod-image",
        metavar="IMAGE",
        type=_image,
        default=environ.get("POD_IMAGE") or "busybox:1.37",
        help="image of pods whose ImoocPod names none (env POD_IMAGE; default: busybox:1.37)",
    )
    parser.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=_paths,
        default=environ.get("KUBECONFIG", ""),
        help="how to reach the API server (env KUBECONFIG, several files joined by ':')",
    )
    parser.add_argument(
        "--context",
        metavar="NAME",
        default="",
        help="context of the kubeconfig (default: its current-context)",
    )
    parser.add_argument(
        "--metrics-bind-address",
        metavar="ADDRESS",
        type=_address,
        default=":8080",
        help="serve /metrics at host:port or :port; 0 turns it off (default: :8080)",
    )
    parser.add_argument(
        "--health-probe-bind-address",
        metavar="ADDRESS",
        type=_address,
        default=":8081",
        help="serve /healthz and /readyz at host:port or :port; 0 turns it off (default: :8081)",
    )
    parser.add_argument(
        "--leader-elect",
        action="store_true",
        help=f"reconcile only while holding the Lease {LEASE} in the operator's own namespace",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="log what each pass would do, and do nothing",
    )
    parser.add_argument(
        "--log-format",
        choices=("json", "console"),
        default="json",
        help="JSON lines or text for a console (default: json)",
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="least severe records to show (default: info)",
    )
    parser.add_argument("--version", action="version", version=f"imooc-operator {__version__}")
    return parser


def _namespaces(text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise argparse.ArgumentTypeError(f"{name!r} is not a namespace name")
    return tuple(dict.fromkeys(names))


def _image(text: str) -> str:
    if not text or re.search(r"\s", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an image reference")
    return text


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part).expanduser() for part in text.split(":") if part)


def _address(text: str) -> str:
    if text == "0":
        return text
    _, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not host:port, :port or 0")
    return text
