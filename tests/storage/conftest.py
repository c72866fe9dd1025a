"""A real API server with an object of every kind, and a way to read its etcd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from support.control_plane import control_plane

from tests.storage.cluster import Cluster

SAMPLES = Path(__file__).parent / "kinds.yaml"


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of etcd, etcdctl and kube-apiserver, as `make storage` names it."""
    folder = os.environ.get("IMOOC_CONTROL_PLANE_BIN")
    assert folder, "IMOOC_CONTROL_PLANE_BIN names no folder; run: make storage"
    return Path(folder)


@pytest.fixture(scope="session")
def cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that holds the samples and serves all versions. Nothing in it changes by itself."""
    with _samples(programs, tmp_path_factory, "--runtime-config=api/all=true") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cbor_cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The same, with an API server that stores custom resources as CBOR."""
    gates = "--feature-gates=CBORServingAndStorage=true"
    with _samples(programs, tmp_path_factory, gates) as cluster:
        yield cluster


@contextmanager
def _samples(programs: Path, folders: pytest.TempPathFactory, *flags: str) -> Iterator[Cluster]:
    folder = folders.mktemp("cluster")
    with (
        control_plane(programs, folder, flags=flags) as plane,
        Cluster.of(plane, programs) as cluster,
    ):
        for sample in yaml.safe_load_all(SAMPLES.read_text()):
            cluster.apply(sample)
        yield cluster
