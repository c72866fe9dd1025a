"""A status as a page that needs nothing else: no network, no script, one file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils import status_sections
from ansible.module_utils.drawing import BAD, GONE, OK, WAITING
from ansible.module_utils.markup import Child, Markup, tag
from ansible.module_utils.operator_metrics import within
from ansible.module_utils.units import short

Facts = dict[str, Any]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SECTIONS = (
    ("picture", "Topology"),
    ("resources", "Custom resources"),
    ("operator", "Operator"),
    ("run", "Last run"),
    ("cluster", "Cluster"),
    ("etcd", "etcd"),
    ("images", "Images"),
    ("drift", "Drift"),
)
_VERDICTS = {"up": OK, "degraded": WAITING, "down": BAD, "absent": GONE}


def render(facts: Facts, names: tuple[str, str], style: str) -> str:
    """Return the page; ``names`` are those that cluster and registry should have."""
    bodies = {
        "picture": status_sections.topology(facts, names),
        "resources": status_sections.resources(facts),
        "operator": status_sections.operator(facts),
        "run": status_sections.run(facts),
        "cluster": status_sections.cluster(facts),
        "etcd": status_sections.etcd(facts),
        "images": status_sections.images(facts),
        "drift": status_sections.drifts(facts),
    }
    title = f"{facts['environment']} is {facts['verdict']}"
    head = tag(
        "head",
        {},
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", {}, title),
        tag("style", {}, Markup(style)),
    )
    body = tag(
        "body",
        {},
        tag("a", {"class": "skip", "href": "#content"}, "To the content"),
        _header(facts),
        _navigation(),
        tag(
            "main",
            {"id": "content", "tabindex": "-1"},
            _findings(facts["findings"]),
            [_section(name, heading, bodies[name]) for name, heading in _SECTIONS],
        ),
        _footer(facts),
    )
    return f"<!doctype html>\n{tag('html', {'lang': 'en'}, head, body)}\n"


def _header(facts: Facts) -> Markup:
    verdict = facts["verdict"]
    moment = datetime.fromisoformat(facts["time"]).astimezone(UTC)
    when = tag("time", {"datetime": facts["time"]}, f"{moment:%-d %B %Y, %H:%M:%S} UTC")
    version = facts["cluster"].get("version")
    return tag(
        "header",
        {},
        tag("p", {"class": "kicker"}, "environment"),
        tag(
            "h1",
            {},
            facts["environment"],
            " is ",
            tag("span", {"class": f"verdict {_VERDICTS[verdict]}"}, verdict),
        ),
        tag(
            "p",
            {"class": "when"},
            "Looked at ",
            when,
            f" · Kubernetes {version}" if version else None,
        ),
        tag("dl", {"class": "signs"}, _signs(facts)),
    )


def _signs(facts: Facts) -> Iterable[Markup]:
    """Yield the numbers that an operator of the stack looks at first."""
    cluster, metrics, etcd = facts["cluster"], facts["metrics"], facts["etcd"]
    if "missing" not in cluster:
        nodes = cluster["nodes"]
        yield _of("Nodes ready", sum(node["ready"] for node in nodes), len(nodes))
        operator = cluster["operator"] or {"available": 0, "desired": 0}
        yield _of("Operator", operator["available"], max(1, operator["desired"]))
        resources = cluster["resources"] or []
        desired = sum(item["desired"] for item in resources)
        yield _sign("ImoocPods", str(len(resources)))
        yield _of("Their pods", sum(item["ready"] for item in resources), desired)
    if "missing" not in metrics:
        bound = within(metrics["pass_seconds"], 0.99)
        yield _sign("99 % of passes within", short(bound) if bound else "-")
        yield _sign("Queue", str(metrics["queue"]["depth"]))
    if "missing" not in etcd:
        yield _sign("Keys in etcd", str(etcd["keys"]))


def _of(label: str, have: int, want: int) -> Markup:
    return _sign(label, str(have), f" / {want}", short_of=have < want)


def _sign(label: str, value: str, rest: str = "", short_of: bool = False) -> Markup:
    shown = [value, tag("small", {}, rest) if rest else None]
    return tag(
        "div",
        {},
        tag("dt", {}, label),
        tag("dd", {"class": "short" if short_of else None}, shown),
    )


def _navigation() -> Markup:
    links = [tag("li", {}, tag("a", {"href": f"#{name}"}, heading)) for name, heading in _SECTIONS]
    return tag("nav", {"aria-label": "On this page"}, tag("ul", {}, links))


def _section(name: str, heading: str, body: Child) -> Markup:
    return tag(
        "section",
        {"id": name, "aria-labelledby": f"{name}-heading"},
        tag("h2", {"id": f"{name}-heading"}, heading),
        tag("div", {"class": "body"}, body),
    )


def _findings(found: Sequence[Facts]) -> Markup | None:
    if not found:
        return None
    items = [
        tag(
            "li",
            {},
            tag("p", {}, tag("b", {}, item["part"]), " ", item["problem"]),
            tag("p", {"class": "cure"}, tag("code", {}, item["cure"])),
        )
        for item in found
    ]
    return tag(
        "section",
        {"id": "todo", "aria-labelledby": "todo-heading"},
        tag("h2", {"id": "todo-heading"}, "What is wrong, and what to do"),
        tag("ol", {"class": "findings"}, items),
    )


def _footer(facts: Facts) -> Markup:
    environment = facts["environment"]
    choice = "" if environment == "dev" else f" ENV={environment}"
    verbs = [
        tag("li", {}, tag("code", {}, f"make {verb}{choice}"), f" {what}")
        for verb, what in (
            ("status", "draws this page anew"),
            ("up", "brings everything to what the inventory says"),
            ("etcd", "shows what etcd holds"),
            ("down", "removes what was made"),
        )
    ]
    return tag("footer", {}, tag("ul", {}, verbs))
