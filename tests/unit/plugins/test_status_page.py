"""The page: whole whatever is missing, usable without eyes, and safe whatever the cluster holds."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.status_page import render

from tests.unit.plugins import page_reader, status_facts
from tests.unit.plugins.page_reader import Page

STYLE = Path(__file__).resolve().parents[3] / "roles/status/files/page.css"
NAMES = ("imooc-lab", "imooc-lab-registry")
FINDING = {"part": "operator", "problem": "nobody is there", "cure": "make up ENV=lab"}
ALL = ["up", *status_facts.SPOILT]


def page(name: str = "up") -> Page:
    """Return the page of an environment."""
    facts = status_facts.up() if name == "up" else status_facts.spoilt(name)
    verdict, findings = ("up", []) if name == "up" else ("degraded", [FINDING])
    return show(status_facts.told(facts, verdict, findings))


def show(facts: status_facts.Facts) -> Page:
    return page_reader.read(render(facts, NAMES, STYLE.read_text()))


@pytest.mark.parametrize("name", ALL)
def test_it_is_whole_whatever_is_missing(name: str) -> None:
    shown = page(name)
    ids = [element.attributes["id"] for element in shown.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    headings = [element for element in shown.elements if re.fullmatch(r"h\d", element.name)]
    assert [heading.name for heading in headings].count("h1") == 1
    levels = [int(heading.name[1]) for heading in headings]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    sections = [item.attributes["id"] for item in shown.all("section")]
    assert sections[-8:] == [
        *("picture", "resources", "operator", "run", "cluster", "etcd", "images", "drift")
    ]
    assert sections[:-8] == ([] if name == "up" else ["todo"])
    assert all(section.text.strip() for section in shown.all("section"))


@pytest.mark.parametrize("name", ALL)
def test_it_needs_nothing_else(name: str) -> None:
    shown = page(name)
    assert {element.name for element in shown.elements} & {
        "script",
        "link",
        "img",
        "iframe",
    } == set()
    assert "url(" not in STYLE.read_text()
    assert "@import" not in STYLE.read_text()
    policy = [e.attributes["content"] for e in shown.all("meta") if "http-equiv" in e.attributes]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


@pytest.mark.parametrize("name", ALL)
def test_it_can_be_walked_without_eyes(name: str) -> None:
    shown = page(name)
    assert [len(shown.all(landmark)) for landmark in ("header", "nav", "main", "footer")] == [1] * 4
    ids = {element.attributes.get("id") for element in shown.elements}
    for link in shown.all("a"):
        target = link.attributes["href"] or ""
        assert target.startswith("#")
        assert target[1:] in ids
        assert link.attributes.get("aria-label") or link.text
    for section in shown.all("section"):
        assert section.attributes["aria-labelledby"] in ids
    for drawing in shown.all("svg"):
        named = drawing.attributes.get("aria-labelledby") in ids
        assert named or drawing.attributes.get("aria-hidden") == "true"
    for table in shown.all("table"):
        assert "caption" in {e.name for e in shown.elements if "table" in e.around}
        assert table.around[-1] == "div"
    for cell in shown.all("th"):
        assert cell.text


def test_the_picture_says_in_words_what_it_shows() -> None:
    labels = {link.attributes.get("aria-label") for link in page().all("a")}
    assert {
        "engine: 26.1.5 · overlay2 · 2 CPUs · 24 GiB",
        "registry imooc-lab-registry serves; images: busybox",
        "node imooc-lab-control-plane: Ready · v1.37.2",
        "operator: 2 of 2 pods on this node are ready",
        "example-imoocpod: 3 of 3 pods on this node are ready",
        "system: 1 of 1 pods on this node are ready",
        "ImoocPod default/example-imoocpod: 3 of 3 ready AllPodsReady",
        "etcd: 423 keys, revision 1705, 2.3 MB on disk",
    } <= labels


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("no engine", "engine: no engine answers at unix:///var/run/docker.sock: refused"),
        ("no engine", "registry imooc-lab-registry is not there; images: none"),
        ("no engine", "node imooc-lab-control-plane: is not there"),
        ("deaf registry", "registry imooc-lab-registry does not answer; images: none"),
        ("no API server", "node imooc-lab-control-plane: not known"),
        ("no API server", "ImoocPods: not known"),
        ("no API server", "etcd: not known"),
        ("paused node", "node imooc-lab-control-plane: paused"),
        ("stopped worker", "node imooc-lab-worker: stopped"),
        ("node in trouble", "node imooc-lab-control-plane: NotReady"),
        ("operator at zero", "operator: 0 of 0 pods on this node are ready"),
        ("no type", "ImoocPods: no such type"),
        ("no resource", "ImoocPods: there is none"),
        ("missing pod", "example-imoocpod: 2 of 3 pods on this node are ready"),
        ("degraded resource", "ImoocPod default/example-imoocpod: 3 of 3 ready QuotaExceeded"),
        ("many", "other resources: 350 of 350 pods on this node are ready"),
    ],
)
def test_the_picture_says_what_is_wrong(name: str, label: str) -> None:
    labels = [link.attributes.get("aria-label") for link in page(name).all("a")]
    assert labels.count(label) == 2, "in the wide and in the narrow drawing"


def test_what_is_wrong_has_its_cure() -> None:
    (first, *_) = page("no operator").all("section")
    assert first.text == "What is wrong, and what to dooperator nobody is theremake up ENV=lab"


EVIL = '<script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="alert(1)'


def poisoned(value: Any) -> Any:
    """Return facts with every text in them turned into an attack."""
    if isinstance(value, dict):
        kept = {"began", "ended", "time", "started", "created", "type", "status"}
        return {key: item if key in kept else poisoned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return EVIL if isinstance(value, str) else value


@pytest.mark.parametrize("name", ALL)
def test_nothing_that_a_cluster_holds_becomes_an_element(name: str) -> None:
    facts = status_facts.up() if name == "up" else status_facts.spoilt(name)
    row = {"object": "x", "field": "y", "manager": "z"}
    facts["drift"] = {"time": status_facts.NOW, "differences": [row]}
    attack = status_facts.told(poisoned(facts), "degraded", [poisoned(FINDING)])
    attack["environment"] = EVIL
    shown = show(attack)
    assert {element.name for element in shown.elements} & {"script", "img"} == set()
    assert [e for e in shown.elements if any(key.startswith("on") for key in e.attributes)] == []
    assert EVIL in shown.all("h1")[0].text


def test_drift_that_was_not_looked_for_says_how() -> None:
    assert page().all("section")[-1].text == "DriftNot looked at yet. make drift"


def test_drift_is_shown_as_it_was_found() -> None:
    facts = status_facts.up()
    field = {"object": "Deployment/x", "field": "spec.replicas", "wanted": 2, "live": 1}
    whole = {"object": "Role/y", "field": "", "wanted": None, "live": None, "manager": ""}
    rows = [{**field, "manager": "kubectl"}, whole]
    facts["drift"] = {"time": "2026-11-24T11:00:00+00:00", "differences": rows}
    text = show(status_facts.told(facts)).all("section")[-1].text
    assert "2 differences, looked 1 h 0 min ago." in text
    assert "Deployment/xspec.replicas21kubectlRole/y----" in text


def test_a_run_that_failed_names_its_step() -> None:
    facts = status_facts.up()
    facts["run"] |= {"failed": "operator"}
    rows = [row.text for row in show(status_facts.told(facts)).all("tr")]
    assert "operatorfailed" in rows


def test_steps_follow_one_another() -> None:
    styles = [e.attributes.get("style") for e in page().all("span") if "table" in e.around]
    spans = [style for style in styles if style]
    assert spans == ["margin-left:0.00%;width:2.33%", "margin-left:2.33%;width:97.67%"]
