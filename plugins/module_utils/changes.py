"""What a task changes, or would in check mode: the one vocabulary of `plan`, `drift` and `up`.

Every module of this project that changes something returns `changes`, computed before it acts.
Invariant: check mode and a real run from the same state return the same list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Action = Literal["create", "update", "replace", "delete"]
ACTIONS: tuple[Action, ...] = ("create", "update", "replace", "delete")


@dataclass(frozen=True, slots=True)
class Field:
    """One place in which an object differs; None stands for what is not there.

    ``manager`` and ``time`` (RFC 3339) say who set the live value and when, where that is recorded.
    """

    path: str
    live: Any
    wanted: Any
    manager: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one object, and why."""

    object: str
    action: Action
    reason: str = ""
    fields: tuple[Field, ...] = ()

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Change:
        """Return the change that `as_data` wrote."""
        return cls(**{**data, "fields": tuple(Field(**field) for field in data["fields"])})


def as_data(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return changes as modules return them and files keep them."""
    return [asdict(change) for change in changes]
