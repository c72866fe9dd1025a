"""Let tests import the project's plugins the way Ansible does, without installing anything.

Test modules are imported by path; what they share is imported from the project's root.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import ansible.module_utils
from hypothesis import HealthCheck, settings

_ROOT = Path(__file__).resolve().parents[1]
_PLUGINS = _ROOT / "plugins"

# Modules say `from ansible.module_utils.<name> import …`; Ansible rewrites it when packing.
ansible.module_utils.__path__.append(str(_PLUGINS / "module_utils"))
for _kind in ("filter", "callback", "modules", "action"):
    sys.path.insert(0, str(_PLUGINS / _kind))
sys.path.insert(0, str(_ROOT))
importlib.invalidate_caches()

# A busy machine is no reason to fail.
settings.register_profile("plugins", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plugins")
