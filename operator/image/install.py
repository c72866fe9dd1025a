"""Compiles a tree and makes it the same in every build: byte code that no time is written into, one
modification time for everything, no leftovers of the wheels' installer."""

import compileall
import os
import shutil
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def install(root: Path) -> bool:
    """Compile what is below `root` and settle it; return whether everything compiled."""
    for tests in root.glob("*/tests"):
        shutil.rmtree(tests)
    for record in root.glob("*.dist-info/RECORD"):
        record.unlink()  # lists files that are not here
    compiled = compileall.compile_dir(
        root, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    for path in (*root.rglob("*"), root, root.parent):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (EPOCH, EPOCH))
    return compiled


if __name__ == "__main__":
    sys.exit(0 if install(Path(sys.argv[1])) else 1)
