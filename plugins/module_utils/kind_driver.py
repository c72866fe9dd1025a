"""Bring one kind cluster to what is wanted: observe, decide, act, settle.

Invariant: the intent is on disk before the first container is made or removed, and the record is on
the nodes only after kind has finished. Whatever kills a run in between, the next one can tell.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from ansible.module_utils import (
    kind_command,
    kind_config,
    kind_nodes,
    kind_ready,
    kind_record,
    kube_report,
)
from ansible.module_utils.changes import Change, Field
from ansible.module_utils.engine_client import Engine
from ansible.module_utils.kind_record import Action, Decision, Intent, Observed, Phase, Record
from ansible.module_utils.kube_apply import Applier
from ansible.module_utils.kube_client import KubeClient, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError
from ansible.module_utils.kube_waiter import Waiter
from ansible.module_utils.progress import report

_FIELD_MANAGER = "imooc-ansible"


class Refused(Exception):
    """What was asked for is not done; the message says why and what the user can do."""


@dataclass(frozen=True)
class Options:
    """What the caller wants, apart from the cluster's configuration itself."""

    name: str
    environment: str
    kubeconfig: Path
    state_dir: Path
    kind: str
    kubernetes_version: str
    allow_recreate: bool
    wait_timeout: int

    @property
    def context(self) -> str:
        """The context that kind names after the cluster."""
        return f"kind-{self.name}"

    @property
    def intent_file(self) -> Path:
        """Where the intent is kept."""
        return self.state_dir / "kind_cluster.json"


@dataclass
class Outcome:
    """What was done, or would be in check mode."""

    changes: list[Change] = field(default_factory=list)
    action: str = "keep"
    cluster: dict[str, Any] = field(default_factory=dict)
    diff: dict[str, str] = field(default_factory=lambda: {"before": "", "after": ""})

    @property
    def changed(self) -> bool:
        """Whether there is anything to do, or was."""
        return bool(self.changes)


class Driver:
    """One run against one engine."""

    def __init__(self, engine: Engine, options: Options, *, check_mode: bool) -> None:
        self._engine = engine
        self._options = options
        self._check_mode = check_mode
        self._outcome = Outcome()

    def plan_from_nothing(self, spec: kind_config.Spec, reason: str) -> Outcome:
        """Return the plan for a machine whose engine does not answer yet."""
        self._decided(Decision(Action.CREATE, [reason]))
        return self._planned(spec, None)

    def present(self, spec: kind_config.Spec) -> Outcome:
        """Bring the cluster to the wish, ready to use."""
        observed = self._observe()
        image = self._engine.image(spec["image"]) if spec["image"] else None
        decision = kind_record.decide(
            observed,
            spec,
            image["Id"] if image else None,
            self._options.name,
            allow_recreate=self._options.allow_recreate,
        )
        if problem := self._problem(decision):
            raise Refused(problem)
        if decision.action is Action.KEEP and observed.record is not None:
            return self._settled(observed, observed.record)
        if decision.action is Action.START and observed.record is not None:
            return self._started(observed, decision, observed.record)
        self._decided(decision)
        if self._check_mode:
            return self._planned(spec, observed.record)
        if observed.nodes:
            report(f"removing {self._options.name}: {decision.reasons[0]}")
            self._remove(observed)
        return self._settled(*self._create(spec, image))

    def absent(self) -> Outcome:
        """Remove the cluster and what came with it; one that is not ours stays."""
        observed = self._observe()
        if observed.nodes and not kind_record.is_ours(observed):
            self._outcome.action = f"left alone: {self._options.name} is not of this project"
            return self._outcome
        files = (self._options.kubeconfig, self._options.intent_file)
        if not observed.nodes and not any(file.exists() for file in files):
            return self._outcome
        self._outcome.changes.append(Change(self._label, "delete"))
        self._outcome.action = "remove"
        if not self._check_mode:
            self._remove(observed)
            self._options.kubeconfig.unlink(missing_ok=True)
            source = observed.record or observed.intent
            if source is not None and source.network_is_ours:
                kind_nodes.remove_network_if_unused(self._engine)
            self._options.intent_file.unlink(missing_ok=True)
        return self._outcome

    @property
    def _label(self) -> str:
        return f"cluster {self._options.name}"

    def _decided(self, decision: Decision) -> None:
        """Note that the whole cluster is made, or made anew."""
        action: Literal["create", "replace"] = (
            "create" if decision.action is Action.CREATE else "replace"
        )
        fields = tuple(decision.differences)
        reason = "" if fields else "; ".join(decision.reasons)
        self._outcome.changes.append(Change(self._label, action, reason, fields))
        self._outcome.action = "; ".join([decision.action.value, *decision.reasons])

    def _started(self, observed: Observed, decision: Decision, record: Record) -> Outcome:
        """Start what is stopped, and see to it that the cluster works."""
        self._outcome.action = "; ".join([decision.action.value, *decision.reasons])
        state = (Field("state", "stopped", "running"),)
        for node in observed.nodes:
            if node.running:
                continue
            self._outcome.changes.append(Change(f"node {node.name}", "update", fields=state))
            if not self._check_mode:
                report(f"starting {node.name}")
                self._engine.start(node.name)
        return self._settled(observed if self._check_mode else self._observe(), record)

    def _observe(self) -> Observed:
        observed: Observed = kind_nodes.observe(
            self._engine, self._options.name, self._options.intent_file
        )
        return observed

    def _problem(self, decision: Decision) -> str:
        """Return why the decision is a refusal, an empty text where it is none."""
        name = self._options.name
        if decision.action is Action.REFUSE_FOREIGN:
            return (
                f"a kind cluster named {name} exists that this project did not make: it carries no "
                "record, and no run of ours was interrupted. Choose another kind_cluster_name, or "
                f"remove it: kind delete cluster --name {name}"
            )
        if decision.action is Action.REFUSE_DIFFERENT:
            lines = "\n".join(f"  {line}" for line in decision.reasons)
            return (
                f"the cluster {name} differs from what is wanted, and kind cannot change a running "
                f"cluster:\n{lines}\nPut the variables back, or have the cluster deleted and made "
                "anew, with everything in it lost: -e kind_cluster_allow_recreate=true"
            )
        return ""

    def _planned(self, spec: kind_config.Spec, record: Record | None) -> Outcome:
        """Return the new cluster that check mode leaves unmade."""
        nodes = kind_config.node_names(self._options.name, spec["workers"])
        version = self._options.kubernetes_version
        self._outcome.cluster = self._facts(nodes, spec["image"], "", version)
        self._outcome.diff = {
            "before": yaml.safe_dump(record.spec, sort_keys=False) if record else "",
            "after": yaml.safe_dump(spec, sort_keys=False),
        }
        return self._outcome

    def _create(
        self, spec: kind_config.Spec, image: dict[str, Any] | None
    ) -> tuple[Observed, Record]:
        options = self._options
        if image is None or not os.access(options.kind, os.X_OK):
            missing = (
                f"node image {spec['image']!r}" if image is None else f"command {options.kind}"
            )
            raise Refused(
                f"the {missing} is not here; run: ansible-playbook site.yml --tags images"
            )
        kubernetes, containerd_version = kind_nodes.inspect_image(self._engine, spec["image"])
        self._check_version(kubernetes, spec["image"])
        around = kind_nodes.surroundings(self._engine, containerd_version)
        config = kind_config.render(options.name, spec, around)
        network_is_ours: bool = kind_nodes.network_would_be_ours(self._engine)
        intent = Intent(options.name, Phase.CREATING, image["Id"], network_is_ours)
        kind_nodes.write_private(options.intent_file, intent.to_json())
        options.kubeconfig.unlink(missing_ok=True)
        try:
            kind_command.create(
                options.kind, config, options.kubeconfig, self._engine, options.wait_timeout
            )
        except kind_command.KindFailed as error:
            names = [node.name for node in self._observe().nodes]
            raise Refused(
                f"{error}\n{kind_nodes.evidence(self._engine, names)}\nThe containers stay for a "
                "closer look; the next run replaces them."
            ) from error
        record = Record(options.environment, spec, image["Id"], kubernetes, network_is_ours)
        observed = self._observe()
        kind_nodes.write_record(self._engine, [node.name for node in observed.nodes], record)
        kind_nodes.write_private(
            options.intent_file, replace(intent, phase=Phase.CREATED).to_json()
        )
        self._outcome.diff["after"] = yaml.safe_dump(config, sort_keys=False)
        return observed, record

    def _check_version(self, found: str, image: str) -> None:
        wanted = self._options.kubernetes_version.removeprefix("v")
        if wanted and not f"{found.removeprefix('v')}.".startswith(f"{wanted}."):
            raise Refused(
                f"kind_cluster_kubernetes_version is {wanted}, but the node image {image} contains "
                f"{found}: change the one or the other (kind_cluster_image)"
            )

    def _remove(self, observed: Observed) -> None:
        """Remove the nodes; the intent tells a later run that this was under way."""
        source = observed.record or observed.intent
        if source is None or not observed.nodes:
            return
        intent = Intent(self._options.name, Phase.DELETING, source.image_id, source.network_is_ours)
        kind_nodes.write_private(self._options.intent_file, intent.to_json())
        kind_nodes.remove(self._engine, [node.name for node in observed.nodes])

    def _settled(self, observed: Observed, record: Record) -> Outcome:
        """Repair kubeconfig and ConfigMap, and return when every node is ready.

        Of a cluster that has just been made they are parts, and no changes of their own.
        """
        options = self._options
        wanted = kind_nodes.wanted_kubeconfig(self._engine, options.name)
        if wanted is None:
            raise Refused(f"the control plane of {options.name} holds no admin.conf: it is damaged")
        if not kind_nodes.kubeconfig_is_current(options.kubeconfig, wanted):
            self._note(kind_nodes.kubeconfig_change(options.kubeconfig, wanted))
            if not self._check_mode:
                text = yaml.safe_dump(wanted, sort_keys=False)
                kind_nodes.write_private(options.kubeconfig, text)
        if not self._check_mode:
            self._wait({node.name: node.started_at for node in observed.nodes})
        self._publish(record)
        self._outcome.cluster = self._facts(
            [node.name for node in observed.nodes],
            record.spec["image"],
            record.image_id,
            record.kubernetes,
        )
        return self._outcome

    def _wait(self, started: dict[str, str]) -> None:
        options = self._options
        try:
            kind_ready.wait(str(options.kubeconfig), options.context, started, options.wait_timeout)
        except kind_ready.NotReady as error:
            raise Refused(
                f"the cluster {options.name} is not ready after {options.wait_timeout} s: {error}\n"
                + kind_nodes.evidence(self._engine, started)
            ) from error

    @property
    def _made(self) -> bool:
        """Whether the cluster as a whole is this run's work."""
        return any(change.object == self._label for change in self._outcome.changes)

    def _note(self, change: Change) -> None:
        if self._made:
            return
        self._outcome.changes.append(change)
        if self._outcome.action == "keep":
            self._outcome.action = f"{change.action} {change.object}"

    def _publish(self, record: Record) -> None:
        """Keep the record readable for everybody who has access to the cluster."""
        wanted = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": kind_record.CONFIG_MAP, "namespace": "kube-public"},
            "data": {"record.json": record.to_json()},
        }
        kubeconfig, context = str(self._options.kubeconfig), self._options.context
        try:
            with KubeClient.from_kubeconfig(kubeconfig, context) as kube:
                waiter = Waiter(kube, self._options.wait_timeout, report)
                applier = Applier(kube, waiter, _FIELD_MANAGER, self._check_mode)
                outcomes = applier.present([wanted], wait=False)
        except (KubeUnreachable, KubeConfigError):
            if not self._check_mode:  # there, nodes or kubeconfig have yet to come back
                raise
            return
        for change in kube_report.changes(outcomes):
            self._note(change)

    def _facts(
        self, nodes: list[str], image: str, image_id: str, kubernetes: str
    ) -> dict[str, Any]:
        return {
            "name": self._options.name,
            "nodes": sorted(nodes),
            "kubeconfig": str(self._options.kubeconfig),
            "context": self._options.context,
            "version": kubernetes,
            "image": image,
            "image_id": image_id,
            "network": kind_nodes.NETWORK,
            "fate": "new" if self._made else "kept",
        }
