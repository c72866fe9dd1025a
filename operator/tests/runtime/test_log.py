"""What a log line says, in both forms."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from imooc_operator.runtime.log import ConsoleFormatter, JsonFormatter, configure, pass_id

CREATED = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC).timestamp()


def record(message: str = "pods created", **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "imooc_operator.runtime.x", "levelno": logging.WARNING, "levelname": "WARNING"}
        | {"msg": message, "created": CREATED, **extra}
    )
    if "error" in extra:
        made.exc_info = sys.exc_info()
    return made


@pytest.fixture
def in_a_pass() -> Iterator[None]:
    token = pass_id.set("imoocpod-7")
    yield
    pass_id.reset(token)


@pytest.mark.usefixtures("two_hours_east", "in_a_pass")
def test_json_has_utc_time_level_logger_message_fields_and_pass() -> None:
    assert json.loads(JsonFormatter().format(record(key="n/web", count=3))) == {
        "time": "2026-01-02T03:04:05.678+00:00",
        "level": "warning",
        "logger": "runtime.x",
        "message": "pods created",
        "key": "n/web",
        "count": 3,
        "pass": "imoocpod-7",
    }


@pytest.mark.usefixtures("two_hours_east", "in_a_pass")
def test_the_console_has_local_time_and_fields_for_eyes() -> None:
    line = ConsoleFormatter().format(record(key="n/web", count=3))
    assert line == "05:04:05.678 WARNING pods created key=n/web count=3 pass=imoocpod-7"


def test_outside_of_a_pass_no_pass_is_named() -> None:
    assert "pass" not in json.loads(JsonFormatter().format(record()))


def test_a_defect_comes_with_its_trace() -> None:
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError as error:
        defect = record("pass failed", error=error)
    trace: str = json.loads(JsonFormatter().format(defect))["trace"]
    assert trace.startswith("Traceback")
    assert trace.endswith("ZeroDivisionError: a defect")
    first, *rest = ConsoleFormatter().format(defect).splitlines()
    assert "pass failed" in first
    assert rest == trace.splitlines()


def test_what_json_does_not_know_is_written_as_text() -> None:
    assert json.loads(JsonFormatter().format(record(at=Path("/x"))))["at"] == "/x"


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger, which is as it was afterwards."""
    for switch in ("logThreads", "logProcesses", "logMultiprocessing"):
        monkeypatch.setattr(logging, switch, True)
    for other in ("logAsyncioTasks", "_srcfile"):
        monkeypatch.setattr(logging, other, getattr(logging, other, True), raising=False)
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.usefixtures("root")
def test_records_from_the_level_on_go_to_standard_error_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("console", "info")
    configure("json", "warning")
    log = logging.getLogger("imooc_operator.x")
    log.info("quiet")
    log.warning("loud")
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert json.loads(line)["message"] == "loud"


@pytest.mark.usefixtures("root")
def test_the_console_is_chosen_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    logging.getLogger("imooc_operator.x").info("hello")
    assert capsys.readouterr().err.endswith(" INFO    hello\n")


@pytest.mark.usefixtures("root")
def test_no_record_costs_what_thread_process_and_source_line_take(
    caplog: pytest.LogCaptureFixture, root: logging.Logger
) -> None:
    configure("json", "info")
    root.addHandler(caplog.handler)
    logging.getLogger("imooc_operator.x").info("hello")
    (made,) = caplog.records
    assert (made.thread, made.process, made.processName) == (None, None, None)
    assert made.filename == "(unknown file)"
