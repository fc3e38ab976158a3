"""The operations board: is it up, does it keep up, do its sinks take what it says, has it room."""

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders.common import ReduceDataOptions, StackingConfig
from grafana_foundation_sdk.builders.dashboard import Dashboard as Board
from grafana_foundation_sdk.builders.dashboard import QueryVariable, ThresholdsConfig
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    StackingMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
)

from deploy.grafana.looks import Layout, legend, tooltip
from deploy.grafana.queries import PROMETHEUS, metric, now, prometheus

UID: Final = "groundswell-operations"

ITS: Final = '{instance=~"$instance"}'
"""The runs that are chosen."""

RATE: Final = "$__rate_interval"


def operations() -> Dashboard:
    """The whole board."""
    board = (
        Board("Groundswell: operations")
        .uid(UID)
        .description("Is it up, does it keep up, do its sinks take what it says, has it room.")
        .tags(["groundswell"])
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(prometheus())
        .with_variable(
            QueryVariable("instance")
            .label("Run")
            .datasource(PROMETHEUS)
            .query("label_values(groundswell_info, instance)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .current(VariableOption(text=["All"], value=["$__all"]))
        )
    )
    layout = Layout(board)
    for number in _numbers():
        layout.add(number, 4, 4)
    for chart in (*_input(), *_trends(), *_sinks(), *_room(), *_processes()):
        layout.add(chart, 8, 8)
    return board.build()


def rate(name: str, by: str) -> str:
    """A second's worth of a counter, summed over all but one label."""
    return f"sum by ({by}) (rate({name}{ITS}[{RATE}]))"


def quantile(share: float, name: str, by: str) -> str:
    """A quantile of a histogram."""
    return f"histogram_quantile({share}, sum by ({by}, le) (rate({name}_bucket{ITS}[{RATE}])))"


def _numbers() -> Sequence[Stat]:
    return (
        _number("Ready", "1 while /readyz says so.", f"min(groundswell_ready{ITS})", "short", 1, 1)
        .mappings(
            [
                ValueMap(
                    options={
                        "0": ValueMappingResult(text="no", index=0),
                        "1": ValueMappingResult(text="yes", index=1),
                    }
                )
            ]
        )
        .thresholds(_steps((None, "red"), (1, "green"))),
        _number(
            "Messages behind",
            "What is in the topic and was not read yet.",
            f"sum(groundswell_lag_messages{ITS})",
            "short",
            10_000,
            100_000,
        ),
        _number(
            "Watermark is behind by",
            "How far event time, as decided upon, is behind the clock.",
            f"max(groundswell_watermark_age_seconds{ITS})",
            "s",
            1800,
            3600,
        ),
        _number(
            "Refused",
            "Share of messages that are no reels, over the last hour.",
            f"sum(increase(groundswell_reels_rejected_total{ITS}[1h])) "
            f"/ sum(increase(groundswell_reels_read_total{ITS}[1h]))",
            "percentunit",
            0.01,
            0.05,
        ),
        _number(
            "Sinks down",
            "Services that do not take what is written to them.",
            f"count(groundswell_sink_up{ITS} == 0) or vector(0)",
            "short",
            1,
            1,
        ),
        _number(
            "Trends told in a day",
            "Trends told for the first time in the last 24 hours.",
            f"sum(increase(groundswell_trends_total{ITS}[1d])) or vector(0)",
            "short",
        ),
    )


def _input() -> Sequence[TimeSeries]:
    return (
        _chart("Reels", "Messages read, and those that were counted, a second.", "cps")
        .with_target(metric(rate("groundswell_reels_read_total", "topic"), "read, {{topic}}", "A"))
        .with_target(
            metric(rate("groundswell_reels_counted_total", "topic"), "counted, {{topic}}", "B")
        ),
        _chart("Not counted", "Messages refused, there before, late or from the future.", "cps")
        .with_target(metric(rate("groundswell_reels_rejected_total", "topic"), "refused", "A"))
        .with_target(metric(rate("groundswell_reels_duplicate_total", "topic"), "duplicate", "B"))
        .with_target(metric(rate("groundswell_reels_late_total", "topic"), "late", "C"))
        .with_target(metric(rate("groundswell_reels_clamped_total", "topic"), "clamped", "D")),
        _chart("Lag", "Messages of each partition that were not read yet.", "short").with_target(
            metric(f"groundswell_lag_messages{ITS}", "{{topic}} {{partition}}")
        ),
        _chart("Event time behind the clock", "Of the watermark and of what is decided.", "s")
        .with_target(metric(f"groundswell_watermark_age_seconds{ITS}", "watermark", "A"))
        .with_target(metric(f"time() - groundswell_decided_seconds{ITS}", "decided", "B")),
        _chart(
            "Event time of partitions behind the clock", "One that stays behind holds all up.", "s"
        ).with_target(
            metric(f"time() - groundswell_event_time_seconds{ITS}", "{{topic}} {{partition}}")
        ),
        _chart("Silent partitions", "The others go on without them.", "short").with_target(
            metric(f"sum by (topic) (groundswell_partition_idle{ITS})", "{{topic}}")
        ),
    )


def _trends() -> Sequence[TimeSeries]:
    return (
        _chart("Trends told", "An hour, by the stage in which they were told first.", "short")
        .with_target(
            metric(
                f"sum by (stage) (increase(groundswell_trends_total{ITS}[1h]))", "{{stage}}", "A"
            )
        )
        .with_target(
            metric(f"sum(increase(groundswell_revisions_total{ITS}[1h]))", "revisions", "B")
        ),
        _chart(
            "False alerts",
            "Share of false alerts as the model expects it, over a day, and what is asked for.",
            "percentunit",
        )
        .with_target(
            metric(
                f"sum(increase(groundswell_false_alerts_expected_total{ITS}[1d])) "
                f"/ sum(increase(groundswell_trends_total{ITS}[1d]))",
                "expected",
                "A",
            )
        )
        .with_target(metric(f"max(groundswell_fdr_asked{ITS})", "asked", "B")),
        _chart("What is watched", "Signals with a history; trends followed; candidates.", "short")
        .with_target(metric(f"sum(groundswell_signals_live{ITS})", "signals", "A"))
        .with_target(metric(f"sum(groundswell_trends_followed{ITS})", "trends", "B"))
        .with_target(metric(f"sum(groundswell_candidates{ITS})", "candidates", "C"))
        .with_target(
            metric(
                f"sum(rate(groundswell_signals_evicted_total{ITS}[{RATE}]))",
                "signals let go, a second",
                "D",
            )
        ),
    )


def _sinks() -> Sequence[TimeSeries]:
    return (
        _chart("Time of a write", "Half of the writes, and 99 in 100, take no longer.", "s")
        .with_target(
            metric(quantile(0.5, "groundswell_sink_write_seconds", "sink"), "{{sink}} p50")
        )
        .with_target(
            metric(quantile(0.99, "groundswell_sink_write_seconds", "sink"), "{{sink}} p99", "B")
        ),
        _chart("Written", "Revisions and dead letters a second.", "cps").with_target(
            metric(rate("groundswell_sink_written_total", "sink"), "{{sink}}")
        ),
        _chart("Alerts", "An hour, by what became of them; those that wait.", "short")
        .with_target(
            metric(f"sum by (outcome) (increase(groundswell_alerts_total{ITS}[1h]))", "{{outcome}}")
        )
        .with_target(
            metric(f"sum by (rule) (groundswell_alerts_waiting{ITS})", "{{rule}} waits", "B")
        ),
        _chart(
            "Failures of sinks", "Attempts a second that failed, and 1 while a sink is up.", "short"
        )
        .with_target(metric(rate("groundswell_sink_failures_total", "sink"), "{{sink}} failures"))
        .with_target(metric(f"groundswell_sink_up{ITS}", "{{sink}} up", "B")),
    )


def _room() -> Sequence[TimeSeries]:
    return (
        _chart("Buffers", "How full each bounded buffer is; see docs/metrics.md.", "percentunit")
        .max(1)
        .with_target(
            metric(
                f"sum by (buffer) (groundswell_buffer_used{ITS}) "
                f"/ sum by (buffer) (groundswell_buffer_limit{ITS})",
                "{{buffer}}",
            )
        ),
        _chart("State folder", "Bytes of states, by the step of the flow.", "bytes")
        .stacking(StackingConfig().mode(StackingMode.NORMAL))
        .fill_opacity(30)
        .with_target(metric(f"sum by (step) (groundswell_state_bytes{ITS})", "{{step}}")),
        _chart("Writing states", "Bytes a second.", "Bps").with_target(
            metric(rate("groundswell_state_written_bytes_total", "step"), "{{step}}")
        ),
        _chart("Time of snapshots", "99 in 100 take no longer.", "s")
        .with_target(
            metric(quantile(0.99, "groundswell_state_write_seconds", "step"), "write {{step}}")
        )
        .with_target(metric(_mean("groundswell_epoch_seconds"), "between two, on average", "B")),
        _chart("Between processes", "Through shared memory; what found no room there.", "Bps")
        .with_target(
            metric(f"sum(rate(groundswell_exchange_bytes_total{ITS}[{RATE}]))", "bytes a second")
        )
        .with_target(
            metric(
                f"sum(rate(groundswell_exchange_overflows_total{ITS}[{RATE}]))",
                "overflows a second",
                "B",
            )
        ),
    )


def _processes() -> Sequence[TimeSeries]:
    return (
        _chart("Processors", "Busy processors of each process.", "short").with_target(
            metric(rate("groundswell_process_cpu_seconds_total", "process"), "{{process}}")
        ),
        _chart("Memory", "Resident memory of each process.", "bytes").with_target(
            metric(f"sum by (process) (groundswell_process_resident_bytes{ITS})", "{{process}}")
        ),
        _chart("Bytes read", "From the topic, a second.", "Bps").with_target(
            metric(rate("groundswell_read_bytes_total", "topic"), "{{topic}}")
        ),
        _chart("Running for", "Since its last start.", "s").with_target(
            metric(f"time() - groundswell_start_seconds{ITS}", "{{instance}}")
        ),
    )


def _mean(name: str) -> str:
    return f"sum(rate({name}_sum{ITS}[{RATE}])) / sum(rate({name}_count{ITS}[{RATE}]))"


def _number(
    title: str,
    about: str,
    promql: str,
    unit: str,
    warn: float | None = None,
    bad: float | None = None,
) -> Stat:
    """One number, green below `warn` and red from `bad` on; blue where there is nothing to fear."""
    panel = (
        Stat()
        .title(title)
        .description(about)
        .datasource(PROMETHEUS)
        .with_target(now(promql, title))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .unit(unit)
        .no_value("no data")
    )
    if warn is None or bad is None:
        return panel.thresholds(_steps((None, "blue")))
    between = [] if warn == bad else [(warn, "orange")]
    return panel.thresholds(_steps((None, "green"), *between, (bad, "red")))


def _steps(*steps: tuple[float | None, str]) -> ThresholdsConfig:
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=name) for value, name in steps])
    )


def _chart(title: str, about: str, unit: str) -> TimeSeries:
    return (
        TimeSeries()
        .title(title)
        .description(about)
        .datasource(PROMETHEUS)
        .min(0)
        .unit(unit)
        .show_points(VisibilityMode.NEVER)
        .legend(legend())
        .tooltip(tooltip())
        .no_value("no data")
    )
