#!/usr/bin/python
"""Ansible module: what etcd holds, decoded, for people and for programs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: etcd_query
short_description: Read keys of a cluster's etcd, decoded
description:
  - Reads keys by etcdctl in the etcd pod of the cluster, with the certificates that etcd uses.
  - Only reads; all that is asked for is read at one revision, by one exec.
  - Of a Secret keys and sizes are returned, never what it holds.
  - Keys are UTF-8; C(\xff) stands for a byte that is not, and C(\\) for a backslash.
  - In check mode without a cluster the answer is empty, and no file is written.
options:
  kubeconfig:
    description: Path of the kubeconfig file.
    type: path
    required: true
  context:
    description: Context of the kubeconfig; its current context by default.
    type: str
  kubectl:
    description: Path of kubectl.
    type: path
    required: true
  prefixes:
    description: What keys begin with.
    type: list
    elements: str
    default: []
  keys:
    description: Keys, whole.
    type: list
    elements: str
    default: []
  names:
    description: Kinds and objects as kubectl calls them, such as C(crd), C(pods -n x), C(pods/x/y).
    type: list
    elements: str
    default: []
  namespace:
    description: Where O(names) are looked for; everywhere by default.
    type: str
    default: ""
  start:
    description: With O(end), a range of keys; this is the first.
    type: str
    default: ""
  end:
    description: The key before which the range ends.
    type: str
    default: ""
  after:
    description: Keys up to this one are left out, as a page before has shown them.
    type: str
    default: ""
  revision:
    description: The revision of the past at which all is read; 0 is now.
    type: int
    default: 0
  sort:
    description: By what the keys are in order.
    type: str
    choices: [key, created, modified, version]
    default: key
  descending:
    description: Last first.
    type: bool
    default: false
  limit:
    description: How many keys of each prefix or range are read at most; 0 means all.
    type: int
    default: 500
  keys_only:
    description: Do not read values.
    type: bool
    default: false
  show:
    description: What V(shown) of the answer is to be.
    type: str
    choices: [nothing, keys, values, json, counts]
    default: nothing
  file:
    description:
      - A file for what is to be shown, readable for its owner only. It is written while the answer
        comes, so an answer of any size takes no memory; nothing of it is returned.
    type: path
  hint:
    description: What to do where no cluster answers; a sentence for the error message.
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Read the custom resources
  etcd_query:
    kubeconfig: state/dev/kubeconfig
    kubectl: bin/kubectl
    prefixes: [/registry/k8s.imooc.com/imoocpods/]

- name: Write all there is to a file, as it was at a revision
  etcd_query:
    kubeconfig: state/dev/kubeconfig
    kubectl: bin/kubectl
    prefixes: [/registry/]
    revision: 1604
    limit: 0
    show: values
    file: state/dev/etcd.yml
"""

RETURN = r"""
revision:
  description: The revision of etcd at which all was read; 0 where nothing was.
  type: int
  returned: always
total:
  description: How many keys there are, with those that the limit left out.
  type: int
  returned: always
read:
  description: How many keys were read.
  type: int
  returned: always
next:
  description: The value of O(after) for what the limit left out; empty where nothing was, and where
    several ranges or another order than by key were asked for.
  type: str
  returned: always
entries:
  description: The keys, in order; none where a file was asked for, or counts.
  type: list
  elements: dict
  returned: always
  contains:
    key: {description: The key., type: str}
    create_revision: {description: Revision of its creation., type: int}
    mod_revision: {description: Revision of its last change., type: int}
    version: {description: How often it was written since its creation., type: int}
    lease: {description: Lease that ends it; 0 for none., type: int}
    size: {description: Bytes of the value., type: int}
    encoding: {description: "json, cbor, protobuf, encrypted, unknown, or none.", type: str}
    api_version: {description: API group and version of the object., type: str}
    kind: {description: Kind of the object., type: str}
    value: {description: The object where it can be decoded and may be shown., type: dict}
    note: {description: What of the value is missing and why., type: str}
shown:
  description: What O(show) asks for, for people.
  type: str
  returned: always
"""

import collections
import filecmp
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils import etcd_names, kube_discovery
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.etcd_question import SORTS, EtcdError, Question, Range
from ansible.module_utils.etcd_reader import EtcdReader
from ansible.module_utils.etcd_report import FORMATS, Described, describe
from ansible.module_utils.kube_client import KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError, KubeConfigMissing

ARGUMENTS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "kubectl": {"type": "path", "required": True},
    "prefixes": {"type": "list", "elements": "str", "default": []},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "names": {"type": "list", "elements": "str", "default": []},
    "namespace": {"type": "str", "default": ""},
    "start": {"type": "str", "default": ""},
    "end": {"type": "str", "default": ""},
    "after": {"type": "str", "default": ""},
    "revision": {"type": "int", "default": 0},
    "sort": {"type": "str", "choices": list(SORTS), "default": "key"},
    "descending": {"type": "bool", "default": False},
    "limit": {"type": "int", "default": 500},
    "keys_only": {"type": "bool", "default": False, "no_log": False},
    "show": {"type": "str", "choices": ["nothing", *FORMATS], "default": "nothing"},
    "file": {"type": "path"},
    "hint": {"type": "str", "default": ""},
}

NOTHING = {"revision": 0, "total": 0, "read": 0, "next": "", "entries": [], "shown": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params: dict[str, Any] = module.params
    try:
        module.exit_json(**_answer(params, check_mode=module.check_mode))
    except (KubeConfigMissing, KubeUnreachable) as error:
        _fail(module, ". ".join(filter(None, [str(error), params["hint"]])))
    except EtcdError as error:
        _fail(module, str(error))
    except (KubeConfigError, KubeError, OSError) as error:
        module.fail_json(msg=str(error))


def _fail(module: AnsibleModule, why: str) -> None:
    """Fail; but in a plan what is missing would be there by now."""
    if not module.check_mode:
        module.fail_json(msg=why)
    module.exit_json(changed=False, **NOTHING)


def _answer(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Return the module's result."""
    kept: list[Described] = []
    shown: list[str] = []
    file = _NewFile(Path(params["file"])) if params["file"] and not check_mode else None
    with KubeClient.from_kubeconfig(params["kubeconfig"], params["context"]) as client:
        question = _question(params, client)
        reader = EtcdReader(client, params["kubectl"], params["kubeconfig"], params["context"])
        # The file is the outer one: only when the answer was whole it takes its place.
        with file or nullcontext(), reader.read(question) as answer:
            counted = _Counted(map(describe, answer))
            returned = not params["file"] and params["show"] != "counts"
            lines = _lines(params["show"], _keep(counted, kept) if returned else counted)
            if file:
                file.write(lines)
            else:
                shown = list(lines)
    whole = len(question.ranges) == 1 and question.sort == "key" and not question.descending
    return {
        "changed": bool(file and file.changed),
        "revision": question.revision or answer.revision,  # etcd tells its newest in any case
        "total": answer.total,
        "read": counted.count,
        "next": counted.last if answer.more and whole else "",
        "entries": kept,
        "shown": "" if params["file"] else "\n".join(shown),
    }


def _question(params: dict[str, Any], client: KubeClient) -> Question:
    """Return what is asked of etcd. Errors: EtcdError, KubeError."""
    ranges = [Range.prefix(text) for text in params["prefixes"]]
    ranges += [Range.key(text) for text in params["keys"]]
    if params["start"] or params["end"]:
        ranges.append(Range.between(params["start"], params["end"]))
    if params["names"]:
        resources = list(kube_discovery.resources(client))
        where = (params["namespace"], client.namespace, resources)
        ranges += [etcd_names.find(name, *where) for name in params["names"]]
    if params["after"]:
        ranges = [left for part in ranges if (left := part.after(params["after"]))]
    return Question(
        ranges=tuple(ranges),
        limit=params["limit"],
        keys_only=params["keys_only"],
        revision=params["revision"],
        sort=params["sort"],
        descending=params["descending"],
    )


class _Counted:
    """An iterator of entries that knows how many there were, and the last one's key."""

    def __init__(self, entries: Iterable[Described]) -> None:
        self._entries = entries
        self.count = 0
        self.last = ""

    def __iter__(self) -> Iterator[Described]:
        for entry in self._entries:
            self.count += 1
            self.last = entry["key"]
            yield entry


def _keep(entries: Iterable[Described], kept: list[Described]) -> Iterator[Described]:
    for entry in entries:
        kept.append(entry)
        yield entry


def _lines(show: str, entries: Iterable[Described]) -> Iterator[str]:
    """Yield the lines of what is shown; all entries are read in any case."""
    if show in FORMATS:
        yield from FORMATS[show](entries)
    else:
        collections.deque(entries, maxlen=0)


class _NewFile:
    """A file that takes the place of another, whole, when its context ends without an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.changed = False

    def __enter__(self) -> None:
        name = f".{self._path.name}."
        descriptor, self._name = tempfile.mkstemp(dir=self._path.parent, prefix=name)  # 0600
        self._file = os.fdopen(descriptor, "w", encoding="utf-8")

    def write(self, lines: Iterable[str]) -> None:
        """Write lines as they come."""
        self._file.writelines(f"{line}\n" for line in lines)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None:
            old = self._path
            self.changed = not old.is_file() or not filecmp.cmp(self._name, old, shallow=False)
            Path(self._name).replace(old)
        Path(self._name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
