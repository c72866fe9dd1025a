"""Draw an environment: what the engine runs, what the operator looks after, what etcd keeps.

Pure: facts in, SVG out. A wide drawing has its columns side by side, a narrow one stacks them; a
page shows the one that fits. Invariant: a state is told by shape and by word, never by colour
alone, and what there should be and is not has a dashed frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.drawing import BAD, GONE, OK, SIGN, WAITING, Drawing, cut, mark, words
from ansible.module_utils.markup import Markup, tag
from ansible.module_utils.status_judge import RUNNING
from ansible.module_utils.units import size

Facts = dict[str, Any]

_FAILED = ("Failed", "Unknown", "Unschedulable", "Evicted")
_STEP = 18  # from one sign to the next
_ROW = 26
_RESOURCES = 5
_ASIDE = 44  # where what stands beside the engine begins
_LINES = 5


@dataclass(frozen=True, slots=True)
class Sheet:
    """The measures of a drawing, in pixels of its own."""

    name: str
    width: int
    frame: int
    inner: tuple[tuple[int, int], tuple[int, int]]
    """Left edge and width of the registry and of the nodes, within the engine's frame."""
    label: int
    resources: tuple[int, int]
    etcd: tuple[int, int]
    side_by_side: bool


WIDE = Sheet("wide", 1100, 644, ((16, 192), (266, 362)), 136, (744, 176), (982, 118), True)
NARROW = Sheet("narrow", 340, 340, ((12, 316), (12, 316)), 138, (0, 340), (0, 340), False)


def picture(facts: Facts, names: tuple[str, str], sheet: Sheet) -> Markup:
    """Return the drawing; ``names`` are those that cluster and registry should have."""
    drawing = Drawing(head=f"head-{sheet.name}")
    cluster, registry = names
    bottom, rows = _engine(drawing, facts, cluster, registry, sheet)
    top = _ASIDE if sheet.side_by_side else bottom + 34
    ends, middle = _resources(drawing, facts, sheet, top)
    top = _ASIDE if sheet.side_by_side else ends + 34
    ends_etcd = _etcd(drawing, facts, sheet, top)
    _edges(drawing, sheet, rows, middle, bottom, ends)
    height = max(bottom, ends, ends_etcd) + 2
    title = f"{sheet.name}-title"
    return tag(
        "svg",
        {
            "class": sheet.name,
            "viewBox": f"-1 -1 {sheet.width + 2} {height + 2}",
            "role": "group",
            "aria-labelledby": title,
        },
        tag("title", {"id": title}, f"What runs in {facts['environment']}, and how it is"),
        tag(
            "defs",
            {},
            tag(
                "marker",
                {
                    "id": f"head-{sheet.name}",
                    "viewBox": "0 0 8 8",
                    "refX": 7,
                    "refY": 4,
                    "markerWidth": 8,
                    "markerHeight": 8,
                    "orient": "auto",
                },
                tag("path", {"class": "head", "d": "M0 0.8 7 4 0 7.2z"}),
            ),
        ),
        drawing.parts,
    )


def state_of(pod: Facts) -> str:
    """Return how a pod is: `ok`, `waiting` or `bad`."""
    word = pod["state"]
    failing = word in _FAILED or "BackOff" in word or "Err" in word
    state: str = OK if pod["ready"] else (BAD if failing else WAITING)
    return state


def _engine(
    drawing: Drawing, facts: Facts, cluster: str, registry: str, sheet: Sheet
) -> tuple[float, dict[str, float]]:
    """Draw the engine with all in it; return its lower edge, and where rows of pods begin."""
    engine = facts["engine"]
    inside, rows = Drawing(), dict[str, float]()
    left, right = sheet.inner
    low = _registry(inside, facts, registry, left, 44)
    rows["registry"] = 44 + 22
    below = 44 if sheet.side_by_side else low + 14
    for node in _nodes(facts, cluster):
        rows.setdefault("node", below + 22)
        below = _node(inside, facts, node, right, below, sheet.label, rows) + 14
    bottom = max(low, below - 14) + 16
    missing = "missing" in engine

    def frame(inner: Drawing) -> None:
        inner.rect(0, 0, sheet.frame, bottom, "frame gone" if missing else "frame")
        inner.text(16, 26, "engine", "name")
        told = "does not answer" if missing else _machine(engine, sheet)
        inner.text(sheet.frame - 16, 26, told, "note bad" if missing else "note", end=True)

    drawing.link("#images", f"engine: {engine.get('missing') or _machine(engine, WIDE)}", frame)
    drawing.parts += inside.parts
    return bottom, rows


def _machine(engine: Facts, sheet: Sheet) -> str:
    told = [engine["version"], engine["storage_driver"]]
    if sheet.side_by_side:
        told += [f"{engine['cpus']} CPUs", f"{engine['memory_mib'] / 1024:.0f} GiB"]
    return " · ".join(told)


def _registry(
    drawing: Drawing, facts: Facts, name: str, column: tuple[int, int], top: float
) -> float:
    """Draw the registry with what it holds; return its lower edge."""
    x, width = column
    container = facts["engine"].get("registry")
    answers = "missing" not in facts["registry"]
    images = facts["registry"]["images"] if answers else []
    sizes = {image["repository"]: image["bytes"] for image in images}
    shown = sorted(sizes)[:_LINES]
    state = OK if answers else (BAD if container else GONE)
    word = "serves" if answers else ("does not answer" if container else "is not there")
    height = 58 + 19 * len(shown)

    def card(inner: Drawing) -> None:
        inner.rect(x, top, width, height, "card" if state != GONE else "card gone")
        inner.parts.append(mark(state, x + 12, top + 13))
        inner.text(x + 33, top + 24, "registry", "name")
        inner.text(x + 12, top + 45, word if state != OK else facts["registry"]["host"], "note")
        for number, repository in enumerate(shown):
            y = top + 66 + 19 * number
            inner.text(x + 12, y, cut(repository, 17), "mono")
            inner.text(x + width - 12, y, size(sizes[repository]), "note", end=True)

    told = f"registry {name} {word}; images: {', '.join(shown) or 'none'}"
    drawing.link("#images", told, card)
    return top + height


def _nodes(facts: Facts, cluster: str) -> list[Facts]:
    """Return the nodes that engine or cluster know of, or the one that there should be."""
    found: dict[str, Facts] = {}
    for container in facts["engine"].get("nodes") or []:
        found[container["name"]] = {"state": container["state"]}
    for node in facts["cluster"].get("nodes") or []:
        found.setdefault(node["name"], {"state": RUNNING}).update(node)
    if not found:
        found[f"{cluster}-control-plane"] = {"gone": True}
    return [{**node, "name": name} for name, node in sorted(found.items())]


def _node(
    drawing: Drawing,
    facts: Facts,
    node: Facts,
    column: tuple[int, int],
    top: float,
    label: int,
    rows: dict[str, float],
) -> float:
    """Draw a node with its pods; return its lower edge, and remember where owners' rows are."""
    x, width = column
    groups = _groups(facts, node["name"])
    height = 44 + _ROW * len(groups)
    state, word = _node_state(node)

    def head(inner: Drawing) -> None:
        inner.rect(x, top, width, height, "card gone" if state == GONE else "card")
        inner.parts.append(mark(state, x + 12, top + 13))
        room = int((width - 50 - 7 * len(word)) / 7.4)
        inner.text(x + 33, top + 24, cut(node["name"], room), "mono strong")
        inner.text(x + width - 12, top + 24, word, "note", end=True)

    drawing.link("#cluster", f"node {node['name']}: {word}", head)
    for number, (key, title, href, pods) in enumerate(groups):
        y = top + 44 + _ROW * number
        rows.setdefault(key, y + 8)
        _pods(drawing, title, href, pods, (x, y, width, label))
    return top + height


def _node_state(node: Facts) -> tuple[str, str]:
    if node.get("gone"):
        return GONE, "is not there"
    if node["state"] != RUNNING:
        return BAD, "paused" if node["state"] == "paused" else "stopped"
    if "ready" not in node:
        return WAITING, "not known"
    return (OK, f"Ready · {node['version']}") if node["ready"] else (BAD, "NotReady")


def _groups(facts: Facts, node: str) -> list[tuple[str, str, str, list[Facts]]]:
    """Return the pods on a node by whose they are: key, title, link, pods."""
    cluster = facts["cluster"]
    if "missing" in cluster:
        return []
    operator = (cluster["operator"] or {}).get("replicas") or []
    groups = [("operator", "operator", "#operator", operator)]
    resources = cluster["resources"] or []
    for item in resources[:_RESOURCES]:
        key = f"{item['namespace']}/{item['name']}"
        groups.append((key, item["name"], "#resources", item["pods"]))
    rest = [pod for item in resources[_RESOURCES:] for pod in item["pods"]]
    groups.append(("others", "other resources", "#resources", rest))
    groups.append(("system", "system", "#cluster", cluster["pods"]))
    here = [
        (key, title, href, [pod for pod in pods if pod["node"] == node])
        for key, title, href, pods in groups
    ]
    nowhere = not operator and node == min(item["name"] for item in cluster["nodes"])
    return [group for group in here if group[3] or (nowhere and group[0] == "operator")]


def _pods(
    drawing: Drawing,
    title: str,
    href: str,
    pods: Sequence[Facts],
    place: tuple[float, float, float, int],
) -> None:
    """Draw one row of pods; the replica that leads is told by a word."""
    x, y, width, label = place
    leads = any(pod.get("leads") for pod in pods)
    room = int((width - label - 24 - (52 if leads else 0)) / _STEP)
    shown = pods[: room - 1] if len(pods) > room else pods
    ready = sum(pod["ready"] for pod in pods)

    def row(inner: Drawing) -> None:
        inner.rect(x + 6, y - 4, width - 12, _ROW - 3, "hit")
        inner.text(x + 12, y + 11, cut(title, label // 7), "note")
        for number, pod in enumerate(shown):
            inner.parts.append(mark(state_of(pod), x + label + _STEP * number, y))
        after = x + label + _STEP * max(1, len(shown)) + 4
        if not pods:
            inner.parts.append(mark(GONE, x + label, y))
            inner.text(after, y + 11, "none runs", "note")
        elif len(shown) < len(pods):
            inner.text(after, y + 11, f"+{len(pods) - len(shown)}", "note")
        elif leads:
            leader = next(number for number, pod in enumerate(pods) if pod.get("leads"))
            spot = x + label + _STEP * leader + SIGN / 2
            inner.parts.append(tag("circle", {"class": "leads", "cx": spot, "cy": y + 6.5, "r": 2}))
            inner.text(after, y + 11, "· leads", "note")

    drawing.link(href, f"{title}: {ready} of {len(pods)} pods on this node are ready", row)


def _resources(
    drawing: Drawing, facts: Facts, sheet: Sheet, top: float
) -> tuple[float, dict[str, float]]:
    """Draw the custom resources; return their lower edge, and the middle of each card."""
    x, width = sheet.resources
    resources = facts["cluster"].get("resources")
    middle: dict[str, float] = {}
    if not resources:
        unknown = "missing" in facts["cluster"]
        word = (
            "not known" if unknown else ("no such type" if resources is None else "there is none")
        )

        def ghost(inner: Drawing) -> None:
            inner.rect(x, top, width, 58, "card gone")
            inner.text(x + 12, top + 24, "ImoocPod", "name")
            inner.text(x + 12, top + 45, word, "note")

        drawing.link("#resources", f"ImoocPods: {word}", ghost)
        return top + 58, middle
    for item in resources[:_RESOURCES]:
        _resource(drawing, item, x, top, width)
        middle[f"{item['namespace']}/{item['name']}"] = top + 40
        top += 80 + 12
    if len(resources) > _RESOURCES:
        drawing.text(x + 12, top + 8, f"and {len(resources) - _RESOURCES} more", "note")
        top += 24
    return top - 12, middle


def _resource(drawing: Drawing, item: Facts, x: float, top: float, width: float) -> None:
    ready, desired = item["ready"], item["desired"]
    known = {row["type"]: row for row in item["conditions"]}
    degraded = known.get("Degraded", {}).get("status") == "True"
    state = BAD if degraded else (OK if ready == desired else WAITING)
    share = 1.0 if not desired else min(1.0, ready / desired)
    told = f"{ready} of {desired} ready"

    def card(inner: Drawing) -> None:
        inner.rect(x, top, width, 80, "card")
        inner.parts.append(mark(state, x + 12, top + 13))
        inner.text(x + 33, top + 24, cut(item["name"], int((width - 40) / 7.4)), "mono strong")
        inner.text(x + 12, top + 45, f"ImoocPod in {cut(item['namespace'], 14)}", "note")
        inner.rect(x + 12, top + 58, width - 110, 8, "meter")
        if share:
            inner.rect(x + 12, top + 58, (width - 110) * share, 8, f"meter-{state}")
        inner.text(x + width - 12, top + 66, told, "note", end=True)

    reason = known.get("Degraded" if degraded else "Ready", {}).get("reason", "")
    drawing.link(
        "#resources", f"ImoocPod {item['namespace']}/{item['name']}: {told} {reason}", card
    )


def _etcd(drawing: Drawing, facts: Facts, sheet: Sheet, top: float) -> float:
    """Draw what etcd holds; return the lower edge."""
    x, width = sheet.etcd
    etcd = facts["etcd"]
    missing = "missing" in etcd
    lines = (
        ["not known"]
        if missing
        else [
            f"{etcd['keys']} keys",
            f"revision {etcd['revision']}",
            f"{size(etcd['database_bytes'])} on disk",
        ]
    )
    height = 38 + 19 * len(lines)

    def card(inner: Drawing) -> None:
        inner.rect(x, top, width, height, "card gone" if missing else "card")
        inner.parts.append(mark(GONE if missing else OK, x + 12, top + 13))
        inner.text(x + 33, top + 24, "etcd", "name")
        for number, line in enumerate(lines):
            inner.text(x + 12, top + 45 + 19 * number, line, "note")

    drawing.link("#etcd", f"etcd: {', '.join(lines)}", card)
    return top + height


def _edges(
    drawing: Drawing,
    sheet: Sheet,
    rows: dict[str, float],
    middle: dict[str, float],
    frame: float,
    resources: float,
) -> None:
    """Draw who does what to whom."""
    if not sheet.side_by_side:
        x = sheet.width / 2
        drawing.arrow(f"M{x} {frame + 3}V{frame + 31}", "reconciles", x + 8, frame + 21)
        drawing.arrow(f"M{x} {resources + 3}V{resources + 31}", "stored in", x + 8, resources + 21)
        return
    (left, span), (node, width) = sheet.inner
    start, end = left + span, node
    if "node" in rows:
        y = rows["registry"]
        drawing.arrow(f"M{start + 2} {y}H{end - 3}", "", 0, 0)
        drawing.parts.append(words((start + end) / 2, y - 7, "images", "word middle"))
    x, target = node + width, sheet.resources[0]
    half = (x + target) / 2
    for number, (key, y) in enumerate(middle.items()):
        if "operator" in rows:
            begin = rows["operator"]
            path = f"M{x} {begin}C{half} {begin} {half} {y - 10} {target - 3} {y - 10}"
            word = "" if number else "reconciles"
            drawing.arrow(path, word, half - 26, min(begin, y - 10) - 6)
        if key in rows:
            finish = rows[key]
            path = f"M{target} {y + 14}C{half} {y + 14} {half} {finish} {x + 3} {finish}"
            drawing.arrow(path, "" if number else "owns", half + 2, max(finish, y + 14) + 12)
        to = sheet.etcd[0]
        stop = _ASIDE + 40.0
        path = f"M{target + sheet.resources[1]} {y}C{to - 28} {y} {to - 28} {stop} {to - 3} {stop}"
        drawing.arrow(path, "" if number else "stored in", to - 56, _ASIDE + 30)
