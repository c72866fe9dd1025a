"""The operator beside its peers, on one API server, seen from outside.

The control plane is the one of the operator's own tests, so their folder is put on the path.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "operator/tests"))
