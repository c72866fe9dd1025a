#!/usr/bin/python
"""Describe the container engine that this machine would use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_engine_facts
short_description: Describe the container engine that this machine would use
description:
  - Looks where the docker command line would look, in its order of precedence.
  - An engine that does not answer is described with C(reachable=false); that is no failure.
options:
  record:
    description: The file in which the container_engine role keeps what it installed.
    type: path
    required: true
author: the project
"""

EXAMPLES = r"""
- name: Read the engine
  container_engine_facts:
    record: /var/lib/imooc/container_engine.json
  register: __engine
"""

RETURN = r"""
facts:
  description:
    - The engine (C(host), C(socket), C(reachable), C(version), C(data_root), C(buildx), …),
      whether this project installed it (C(ours)), whether it lacks anything (C(complete)),
      and the user who asks (C(user), C(root)).
  type: dict
  returned: always
"""

import os
import pwd
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.engine_facts import read_engine


def main() -> None:
    """Read and return."""
    module = AnsibleModule(
        argument_spec={"record": {"type": "path", "required": True}}, supports_check_mode=True
    )
    engine, _ = read_engine(os.environ, Path.home())
    uid = os.geteuid()
    facts = {
        **engine.as_facts(),
        "ours": Path(module.params["record"]).exists(),
        "complete": engine.reachable and bool(engine.buildx and shutil.which("docker")),
        "user": pwd.getpwuid(uid).pw_name,
        "root": uid == 0,
    }
    module.exit_json(changed=False, facts=facts)


if __name__ == "__main__":
    main()
