#!/usr/bin/env bash
# Every check that reads the code without running it; all run, then the result.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()
check() {
  echo "== $*"
  "$@" || failed+=("$1")
}

mapfile -t scripts < <(git ls-files '*.sh' '**/bin/wget' .ci/run)

check ansible-lint --offline
check yamllint --strict .
check ruff check .
check ruff format --check .
check mypy plugins tests tools benchmarks
check env --chdir=operator mypy
check env --chdir=operator lint-imports
check shellcheck "${scripts[@]}"
check python tools/role_docs.py --check
check python tools/operator_reference.py --check

if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi
