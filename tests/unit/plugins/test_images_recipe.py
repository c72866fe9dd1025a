"""Keys cover what an image is made by, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible.module_utils import images_recipe

FILES = Path(__file__).resolve().parents[3] / "roles" / "images" / "files"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of the recipes' files that a test may change."""
    return Path(shutil.copytree(FILES, tmp_path / "files"))


def test_the_same_files_give_the_same_keys(files: Path) -> None:
    assert images_recipe.recipes(files) == images_recipe.recipes(FILES)


@pytest.mark.parametrize(
    ("changed", "images"),
    [
        ("node/assemble.sh", {"node"}),
        ("node/manifests/default-cni.yaml", {"node"}),
        ("stack/cmd/kubernetes/main.go", {"node"}),
        ("stack/go.sum", {"node", "registry"}),
        ("stack/cmd/registry/main.go", {"node", "registry"}),
        ("registry/config.yml", {"registry"}),
        ("python/remove.txt", {"python"}),
        ("debian/fetch.sh", {"python", "busybox"}),
    ],
)
def test_a_changed_file_changes_the_images_made_by_it(
    files: Path, changed: str, images: set[str]
) -> None:
    before = images_recipe.recipes(files)
    with (files / changed).open("a") as stream:
        stream.write("\n")
    after = images_recipe.recipes(files)
    assert {name for name in before if before[name].key != after[name].key} == images


def test_a_test_of_a_program_changes_nothing(files: Path) -> None:
    before = images_recipe.recipes(files)
    (files / "stack" / "internal" / "nodeagent" / "new_test.go").write_text("package nodeagent\n")
    assert images_recipe.recipes(files) == before


def test_a_renamed_file_changes_the_key(files: Path) -> None:
    before = images_recipe.key("node", files)
    manifests = files / "node" / "manifests"
    (manifests / "default-cni.yaml").rename(manifests / "other.yaml")
    assert images_recipe.key("node", files) != before


def test_changed_code_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = images_recipe.key("python", FILES)
    monkeypatch.setattr(images_recipe, "_source", lambda module: b"other code")
    assert images_recipe.key("python", FILES) != before


def test_versions_come_from_the_locked_module() -> None:
    recipes = images_recipe.recipes(FILES)
    assert recipes["node"].version.startswith("v1.37.")
    assert recipes["node"].versions["kind"].startswith("v0.33.")
    assert set(recipes["node"].versions) >= {"containerd", "etcd", "coredns", "cni-plugins"}


def test_labels_tell_what_an_image_was_made_from() -> None:
    recipe = images_recipe.recipes(FILES)["node"]
    labels = recipe.labels({"debian": "12.12"})
    assert labels["com.imooc.images.name"] == "node"
    assert labels["com.imooc.images.key"] == recipe.key
    assert f"kubernetes={recipe.version}" in labels["com.imooc.images.versions"].split()
    assert "debian=12.12" in labels["com.imooc.images.versions"].split()


def test_a_reference_names_version_and_key() -> None:
    recipe = images_recipe.recipes(FILES)["registry"]
    assert recipe.reference == f"imooc.local/registry:{recipe.version}-{recipe.key}"
