"""Has the verdict on rights last: it is on all that ran."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the cases of test_rights.py to the end, whatever else is run beside them."""
    items.sort(key=lambda item: item.path.name == "test_rights.py")
