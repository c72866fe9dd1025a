"""Logs as JSON lines or for a console; every record of a pass carries its id.

Invariant: the message is constant, what varies is in `extra`.
"""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

import msgspec

pass_id: ContextVar[str] = ContextVar("pass_id", default="")
"""The id of the pass that the current task is in."""

_ENCODER = msgspec.json.Encoder(enc_hook=str)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName", "asctime"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = {k: v for k, v in vars(record).items() if k not in _STANDARD}
    if current := pass_id.get():
        fields["pass"] = current
    return fields


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("imooc_operator."),
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line).decode()


class ConsoleFormatter(logging.Formatter):
    """For eyes: time, level, message, then key=value."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        pairs = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{time} {record.levelname:<7} {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(log_format: str, level: str) -> None:
    """Send all records to standard error in `log_format` (json or console)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Records carry no thread, process or source line: collecting these costs half of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.logAsyncioTasks = False  # type: ignore[attr-defined]  # since Python 3.12
    logging._srcfile = None  # logging's own manual has it so
