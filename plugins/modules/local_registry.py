#!/usr/bin/python
"""Ansible module: the container of a local registry is present as wanted, or absent."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: local_registry
short_description: Run a container registry on this machine
description:
  - Keeps the registry's data in a named volume, so that no recreation loses an image.
  - Compares only what it sets itself. What the image brings along never causes a recreation.
  - Never touches a container or a volume that does not carry its labels.
options:
  name:
    description: Name of the container.
    type: str
    required: true
  environment:
    description: Environment that the labels name.
    type: str
    required: true
  state:
    description: Whether the registry runs, or is gone.
    type: str
    choices: [present, absent]
    default: present
  image:
    description: Image of the registry, a reference that the engine holds.
    type: str
    default: ""
  volume:
    description: Name of the volume that holds the images.
    type: str
    required: true
  address:
    description: Address on this machine.
    type: str
    default: 127.0.0.1
  port:
    description: Port on this machine.
    type: int
    default: 5000
  network:
    description: Network on which the cluster's nodes reach the container by its name.
    type: str
    default: kind
  cluster:
    description: Name of a kind cluster without which the registry is not started; empty for none.
    type: str
    default: ""
  restart_policy:
    description: When the engine starts the container again.
    type: str
    choices: ['no', on-failure, always, unless-stopped]
    default: always
  allow_delete:
    description: Whether the registry lets images be deleted.
    type: bool
    default: true
  remove_data:
    description: Whether V(absent) removes the volume too.
    type: bool
    default: false
  wait_timeout:
    description: Seconds until the registry must answer.
    type: int
    default: 30
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Have a registry on port 5000
  local_registry:
    name: imooc-dev-registry
    environment: dev
    image: registry:3
    volume: imooc-dev-registry-data
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
registry:
  description: host, container, volume, network, image, and the catalog with tags and digests.
  type: dict
  returned: when O(state=present)
"""

from typing import Any, Literal

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, Field, as_data
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.kind_nodes import node_containers
from ansible.module_utils.registry_api import RegistryClient, RegistryUnreachable
from ansible.module_utils.registry_container import Step, Wish, address_problem, is_ours, steps

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "image": {"type": "str", "default": ""},
    "volume": {"type": "str", "required": True},
    "address": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 5000},
    "network": {"type": "str", "default": "kind"},
    "cluster": {"type": "str", "default": ""},
    "restart_policy": {
        "type": "str",
        "choices": ["no", "on-failure", "always", "unless-stopped"],
        "default": "always",
    },
    "allow_delete": {"type": "bool", "default": True},
    "remove_data": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 30},
}


class Refused(Exception):
    """What was asked for is not done; the message says why and what the user can do."""


class Registry:
    """One run of the module."""

    def __init__(self, params: dict[str, Any], check_mode: bool) -> None:
        self._wish = Wish(
            **{field: params[field] for field in Wish.__dataclass_fields__},
        )
        self._params = params
        self._check_mode = check_mode
        self._engine = Engine()
        self.changes: list[Change] = []

    def present(self) -> None:
        """Have the container run as wanted."""
        wish = self._wish
        if problem := address_problem(wish.address):
            raise Refused(problem)
        self._need_cluster()
        container = self._container()
        image = self._engine.image(wish.image) if wish.image else None
        if container is None:
            self._create(image, "there is none")
            return
        todo = steps(container, wish, image["Id"] if image else None)
        if Step.RECREATE in todo:
            self._create(image, "", tuple(todo[Step.RECREATE]))
            return
        if todo:
            fields = tuple(field for found in todo.values() for field in found)
            self.changes.append(Change(self._label, "update", fields=fields))
        if self._check_mode:
            return
        if Step.RESTART_POLICY in todo:
            policy = {"RestartPolicy": {"Name": wish.restart_policy}}
            self._engine.post(f"/containers/{wish.name}/update", policy)
        if Step.CONNECT in todo:
            self._need_network()
            self._engine.post(f"/networks/{wish.network}/connect", {"Container": wish.name})
        if Step.START in todo:
            self._start()

    def absent(self) -> None:
        """Remove the container, and the volume where that was asked for and it is ours."""
        if self._container() is not None:
            self.changes.append(Change(self._label, "delete"))
            if not self._check_mode:
                self._engine.remove_container(self._wish.name)
        volume = self._engine.get(f"/volumes/{self._wish.volume}")
        labels = (volume or {}).get("Labels") or {}
        ours = all(labels.get(key) == value for key, value in self._wish.labels.items())
        if volume is not None and ours and self._params["remove_data"]:
            self.changes.append(Change(f"volume {self._wish.volume}", "delete"))
            if not self._check_mode:
                self._engine.call("DELETE", f"/volumes/{self._wish.volume}")

    def facts(self) -> dict[str, Any]:
        """Return what the registry is and holds; nothing yet in a plan that would create it."""
        wish = self._wish
        host = f"localhost:{wish.port}" if wish.address == "127.0.0.1" else self._address()
        catalog: dict[str, dict[str, str]] = {}
        if not (self._check_mode and self.changes):
            with RegistryClient(self._address()) as client:
                self._wait(client)
                catalog = client.catalog()
        return {
            "host": host,
            "container": wish.name,
            "volume": wish.volume,
            "network": wish.network,
            "image": wish.image,
            "catalog": catalog,
        }

    def _wait(self, client: RegistryClient) -> None:
        try:
            client.wait(self._params["wait_timeout"])
        except RegistryUnreachable as error:
            logs = self._engine.logs(self._wish.name)
            raise Refused(f"{error}\n--- {self._wish.name}, last lines\n{logs}") from error

    @property
    def _label(self) -> str:
        return f"container {self._wish.name}"

    def plan_from_nothing(self, why: str) -> None:
        """Note what is to be done where no engine answers yet."""
        self.changes.append(Change(self._label, "create", why))

    def _address(self) -> str:
        return f"{self._wish.address}:{self._wish.port}"

    def _container(self) -> dict[str, Any] | None:
        container: dict[str, Any] | None = self._engine.container(self._wish.name)
        if container is not None and not is_ours(container, self._wish):
            raise Refused(
                f"a container named {self._wish.name} exists that this environment did not make: "
                f"choose another registry_name, or remove it: docker rm -f {self._wish.name}"
            )
        return container

    def _create(
        self, image: dict[str, Any] | None, why: str, differences: tuple[Field, ...] = ()
    ) -> None:
        """Make the container, in place of the one that ``differences`` tell of."""
        wish = self._wish
        action: Literal["create", "replace"] = "replace" if differences else "create"
        self.changes.append(Change(self._label, action, why, differences))
        if self._check_mode:
            return
        if image is None:
            raise Refused(
                f"the registry's image {wish.image!r} is not in the engine; "
                "run: ansible-playbook site.yml --tags images"
            )
        self._need_network()
        volume = {"Name": wish.volume, "Labels": wish.labels}
        self._engine.post("/volumes/create", volume)  # an existing one is kept as it is
        if differences:
            self._engine.remove_container(wish.name)
        self._engine.call("POST", "/containers/create", query={"name": wish.name}, body=wish.body())
        try:
            self._start()
        except Refused:
            self._engine.remove_container(wish.name)  # what cannot start must not own the name
            raise

    def _start(self) -> None:
        try:
            self._engine.start(self._wish.name)
        except EngineError as error:
            raise Refused(
                f"the registry {self._wish.name} does not start: {error}. If the port "
                f"{self._wish.port} is taken, choose another registry_port"
            ) from error

    def _need_cluster(self) -> None:
        cluster = self._params["cluster"]
        if cluster and not self._check_mode and not node_containers(self._engine, cluster):
            raise Refused(
                f"there is no cluster {cluster} that the registry could serve; "
                "run: ansible-playbook site.yml --tags cluster"
            )

    def _need_network(self) -> None:
        if self._engine.get(f"/networks/{self._wish.network}") is None:
            raise Refused(
                f"there is no network {self._wish.network}, it comes with the cluster; "
                "run: ansible-playbook site.yml --tags cluster"
            )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    registry = Registry(module.params, module.check_mode)
    facts: dict[str, Any] = {}
    try:
        try:
            getattr(registry, module.params["state"])()
        except EngineUnreachable as error:
            if not module.check_mode:
                raise
            if module.params["state"] == "present":
                registry.plan_from_nothing(str(error))
        if module.params["state"] == "present":
            facts = registry.facts()
    except EngineUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except (Refused, EngineError, RegistryUnreachable) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(registry.changes), changes=as_data(registry.changes), registry=facts
    )


if __name__ == "__main__":
    main()
