"""The score is counted right, and the page of survivors is held to it."""

from __future__ import annotations

import pytest

from tools import mutation_score
from tools.mutation_score import OPERATOR, PACKAGE, PAGE, Mutant

OUTCOMES = {
    "imooc_operator.runtime.log.x_configure__mutmut_1": "killed",
    "imooc_operator.runtime.log.x_configure__mutmut_2": "survived",
    "imooc_operator.runtime.cache.xǁCacheǁget__mutmut_1": "timeout",
    "imooc_operator.kinds.imoocpod.plan.x_plan__mutmut_1": "no tests",
}
RESULTS = "".join(f"    {name}: {outcome}\n" for name, outcome in OUTCOMES.items())

SHOWN = """\
# imooc_operator.runtime.log.x_configure__mutmut_2: survived
--- src/imooc_operator/runtime/log.py
+++ src/imooc_operator/runtime/log.py
@@ -1,3 +1,3 @@
 def configure(log_format: str) -> None:
-    handler = StreamHandler(stderr)
+    handler = StreamHandler(None)
     handler.set()
"""
MUTANT = Mutant(
    "runtime/log.py", ("handler = StreamHandler(stderr)",), ("handler = StreamHandler(None)",)
)

MADE_UP = """\
# Title
<!-- score:begin -->
old
<!-- score:end -->
## Survivors

### the default is the same

```diff
# runtime/log.py
- handler = StreamHandler(stderr)
+ handler = StreamHandler(None)
```
"""


def test_the_score_counts_by_module_and_an_endless_mutant_as_killed() -> None:
    outcomes = mutation_score.results(RESULTS)
    assert outcomes == OUTCOMES
    assert mutation_score.score(outcomes) == 50
    assert mutation_score.table(outcomes).splitlines()[2:] == [
        "| kinds/imoocpod/plan.py | 1 | 0 | 0.0 |",
        "| runtime/cache.py | 1 | 1 | 100.0 |",
        "| runtime/log.py | 2 | 1 | 50.0 |",
        "| **all** | 4 | 2 | 50.0 |",
    ]


def test_a_diff_and_the_page_name_the_same_mutant() -> None:
    assert mutation_score.mutant(SHOWN) == MUTANT
    assert mutation_score.explained(MADE_UP) == {MUTANT: "the default is the same"}


def test_what_is_printed_can_stand_on_the_page() -> None:
    page = f"### why\n\n```diff\n{MUTANT}\n```\n"
    assert mutation_score.explained(page) == {MUTANT: "why"}


def test_the_score_replaces_the_old_one() -> None:
    page = mutation_score.page_with(MADE_UP, "new")
    assert page == MADE_UP.replace("old", "new")


GOOD = {"a": "killed", **{f"b{number}": "killed" for number in range(20)}}


@pytest.mark.parametrize(
    ("outcomes", "survivors", "reasons", "fault"),
    [
        pytest.param(GOOD, [MUTANT], {}, "no reason is given:\n# runtime/log.py", id="unexplained"),
        pytest.param(GOOD, [], {MUTANT: "why"}, "does not survive:\n# runtime/log.py", id="stale"),
        pytest.param({**GOOD, "c": "not checked"}, [], {}, "1 mutants are not", id="incomplete"),
        pytest.param(OUTCOMES, [], {}, "50.0 % killed, at least 90", id="low"),
    ],
)
def test_what_is_wrong_is_said(
    outcomes: dict[str, str], survivors: list[Mutant], reasons: dict[Mutant, str], fault: str
) -> None:
    (said,) = mutation_score.faults(outcomes, survivors, reasons)
    assert fault in said


def test_a_page_that_explains_all_survivors_is_fine() -> None:
    assert mutation_score.faults(GOOD, [MUTANT], {MUTANT: "why"}) == []


def test_what_the_page_explains_is_still_in_the_code() -> None:
    for change in mutation_score.explained(PAGE.read_text()):
        code = (OPERATOR / PACKAGE / change.module).read_text().splitlines()
        assert set(change.was) <= {line.strip() for line in code}, f"gone by now:\n{change}"
