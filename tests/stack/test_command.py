"""The operator outside of the cluster, as `make run` starts it: with a kubeconfig, no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from world import Stack, eventually, kubectl, ready_with

COMMAND = Path(sys.executable).with_name("imooc-operator")


def test_it_serves_all_namespaces_beside_the_one_in_the_cluster(
    stack: Stack, elsewhere: str, busybox: str, tmp_path: Path
) -> None:
    """Where that one serves all namespaces too, the two do each other no harm."""
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # Other tests may be using the ports.
            [COMMAND, "--metrics-bind-address=0", "--health-probe-bind-address=0"],
            env=os.environ | {"KUBECONFIG": f"{stack.state}/kubeconfig", "POD_IMAGE": busybox},
            stderr=output,
        )
    try:
        eventually(log.read_text, lambda text: '"synced"' in text)
        eventually(lambda: stack.imoocpod("web", elsewhere), ready_with(2))
        kubectl(stack, "scale", "-n", elsewhere, "imoocpod/web", "--replicas=1")
        eventually(lambda: stack.imoocpod("web", elsewhere), ready_with(1))
        process.terminate()
        assert process.wait(10) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    eventually(stack.imoocpod, ready_with(3))
