"""What /metrics shows: the Prometheus text format, and the process itself."""

import re
import time
from pathlib import Path

import pytest

from imooc_operator.runtime.metrics import BUCKETS, Registry
from imooc_operator.runtime.process import register_process_metrics


def test_the_text_format_to_the_letter() -> None:
    registry = Registry()
    counter = registry.counter("c_total", "Things.", ("kind", "of"))
    counter.inc('a"b\\c\nd', "x")
    counter.inc("y", "x")
    counter.inc("y", "x")
    registry.gauge("g", "A level.", (), lambda: {(): 1.5})
    registry.gauge("g", "A level.", (), lambda: {(): 2})
    assert registry.exposition() == (
        "# HELP c_total Things.\n"
        "# TYPE c_total counter\n"
        'c_total{kind="a\\"b\\\\c\\nd",of="x"} 1\n'
        'c_total{kind="y",of="x"} 2\n'
        "# HELP g A level.\n"
        "# TYPE g gauge\n"
        "g 1.5\n"
        "g 2\n"
    )


def test_a_histogram_counts_what_is_at_or_below_each_bound() -> None:
    registry = Registry()
    histogram = registry.histogram("h", "Times.", ("name",))
    for seconds in (0.0005, 0.003, 0.005, 60.0, 61.0):
        histogram.observe(seconds, "q")
    histogram.observe(1.0, "other")
    lines = [line for line in registry.exposition().splitlines() if '"q"' in line]
    counts = {bound: int(n) for bound, n in re.findall(r'le="(.+)"} (\d+)', "\n".join(lines))}
    assert list(counts) == [*map(str, BUCKETS), "+Inf"]
    assert [counts[bound] for bound in ("0.001", "0.0025", "0.005", "10.0", "60.0", "+Inf")] == [
        *(1, 1, 3, 3, 4, 5)
    ]
    assert lines[-2:] == ['h_sum{name="q"} 121.0085', 'h_count{name="q"} 5']
    assert "# TYPE h histogram" in registry.exposition()


def test_a_metric_has_one_meaning() -> None:
    registry = Registry()
    counter = registry.counter("c", "Things.", ("a",))
    assert registry.counter("c", "Things.", ("a",)) is counter
    with pytest.raises(ValueError, match="metric c is registered with another type or labels"):
        registry.histogram("c", "Times.", ("a",))
    with pytest.raises(ValueError, match="metric c is registered with another type or labels"):
        registry.counter("c", "Things.", ("b",))


@pytest.mark.parametrize("values", [(), ("x", "y")])
def test_a_series_without_its_labels_is_not_shown_as_another(values: tuple[str, ...]) -> None:
    registry = Registry()
    registry.counter("c", "Things.", ("a",)).inc(*values)
    with pytest.raises(ValueError, match="argument 2 is"):
        registry.exposition()


def process_metrics() -> dict[str, float]:
    registry = Registry()
    register_process_metrics(registry, "1.2.3")
    lines = [line for line in registry.exposition().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


def memory(field: str) -> float:
    """Return one of the kernel's own figures of this process, in bytes."""
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(rf"{field}:\s+(\d+) kB", status)
    return float(kilobytes) * 1024


def test_the_process_shows_its_memory_cpu_start_and_build() -> None:
    began, cpu = time.time(), time.process_time()
    passing = b"x" * 100_000_000
    del passing  # so that memory in use is far from its peak
    shown = process_metrics()
    (build,) = (series for series in shown if series.startswith("imooc_operator_build_info"))
    assert re.fullmatch(r'\S+\{version="1\.2\.3",python="3\.\d+\.\d+\S*"\}', build)
    assert shown[build] == 1
    assert began - 1 <= shown["process_start_time_seconds"] <= time.time() + 1
    assert cpu - 0.01 <= shown["process_cpu_seconds_total"] <= time.process_time() + 0.01
    assert shown["process_resident_memory_bytes"] == pytest.approx(memory("VmRSS"), rel=0.1)


def test_without_the_kernels_file_memory_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    peak = memory("VmHWM")

    def missing(self: Path) -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", missing)
    assert process_metrics()["process_resident_memory_bytes"] == pytest.approx(peak, rel=0.2)


def test_help_says_what_each_metric_of_the_process_is() -> None:
    registry = Registry()
    register_process_metrics(registry, "1.2.3")
    helps = dict(re.findall(r"# HELP (\S+) (.+)", registry.exposition()))
    assert helps == {
        "imooc_operator_build_info": "Always 1; the labels tell what runs.",
        "process_start_time_seconds": "Start, in seconds since 1970.",
        "process_cpu_seconds_total": "CPU time used.",
        "process_resident_memory_bytes": "Memory in use.",
    }
