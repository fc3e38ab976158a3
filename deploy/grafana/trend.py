"""The page of one trend: why it was told, its course against expectation, its members, its past."""

from typing import Final

from grafana_foundation_sdk.builders.common import LineStyle, ReduceDataOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard as Board
from grafana_foundation_sdk.builders.dashboard import DashboardLink, QueryVariable
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    TableAutoCellOptions,
    TableBarGaugeCellOptions,
    TableColoredBackgroundCellOptions,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    VariableRefresh,
)

from deploy.grafana.looks import Layout, Property, colour, column, legend, stage_colours, tooltip
from deploy.grafana.queries import DATABASE, database, rows, series
from deploy.grafana.trends import TREND_UID, UID

IT: Final = "trend_id = ${trend:sqlstring}"

NAMES: Final = """
SELECT name || ' (' || kind || ', ' || stage || ')' AS __text, trend_id AS __value
FROM groundswell.trends
WHERE $__timeFilter(event_time)
ORDER BY score DESC, event_time DESC, trend_id
LIMIT 500
"""

NOW: Final = f"""
SELECT stage, reels, authors AS people, expected, growth, velocity_per_h AS "reels / h",
  acceleration_per_h2 AS "reels / h²", score, q_value AS q
FROM groundswell.trends
WHERE {IT}
"""

WHY: Final = f"""
SELECT name, kind, summary, why, category, array_to_string(scopes, ', ') AS scopes,
  started_at AS began, event_time AS "as of", revision
FROM groundswell.trends
WHERE {IT}
"""

COURSE: Final = f"""
SELECT bucket AS time, reels, expected
FROM groundswell.signal_counts_1h
WHERE {IT} AND $__timeFilter(bucket)
ORDER BY 1
"""

FORECAST: Final = f"""
SELECT (point->>'t')::timestamptz AS time, (point->>'reels')::float8 AS forecast,
  (point->>'low')::float8 AS low, (point->>'high')::float8 AS high
FROM groundswell.trends, json_array_elements(body->'forecast') AS point
WHERE {IT}
ORDER BY 1
"""

STAGES_PASSED: Final = f"""
SELECT event_time AS time, stage
FROM groundswell.trend_revisions
WHERE {IT} AND $__timeFilter(event_time)
ORDER BY revision
"""

GREW: Final = f"""
SELECT event_time AS time, growth, velocity_per_h AS "reels / h"
FROM groundswell.trend_revisions
WHERE {IT} AND $__timeFilter(event_time)
ORDER BY event_time
"""

MEMBERS: Final = f"""
SELECT member->>'kind' AS kind, member->>'label' AS label, (member->>'weight')::float8 AS weight,
  (member->>'reels')::bigint AS reels, member->>'id' AS id
FROM groundswell.trends, json_array_elements(body->'members') AS member
WHERE {IT}
ORDER BY weight DESC, reels DESC, id
"""

EXAMPLES: Final = f"""
SELECT place AS "#", reel AS "reel id"
FROM groundswell.trends,
  json_array_elements_text(body->'examples') WITH ORDINALITY AS examples (reel, place)
WHERE {IT}
ORDER BY place
"""

REVISIONS: Final = f"""
SELECT revision, event_time, stage, reels, authors, growth, velocity_per_h, score, q_value, why
FROM groundswell.trend_revisions
WHERE {IT}
ORDER BY revision DESC
LIMIT 200
"""


def trend() -> Dashboard:
    """The whole page."""
    board = (
        Board("Groundswell: one trend")
        .uid(TREND_UID)
        .description("Why it was told, its course against expectation, and what is to come.")
        .tags(["groundswell"])
        .time("now-7d", "now+1d")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(DashboardLink("All trends").url(f"/d/{UID}?var-database=$database"))
        .with_variable(database())
        .with_variable(
            QueryVariable("trend")
            .label("Trend")
            .datasource(DATABASE)
            .query(NAMES.strip())
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    )
    layout = Layout(board)
    layout.add(_now(), 24, 4)
    layout.add(_why(), 24, 4)
    layout.add(_course(), 24, 11)
    layout.add(_stages(), 12, 5)
    layout.add(_grew(), 12, 5)
    layout.add(_members(), 16, 9)
    layout.add(_examples(), 8, 9)
    layout.add(_revisions(), 24, 11)
    return board.build()


def _now() -> Stat:
    return (
        Stat()
        .title("As of its newest revision")
        .description("In the window in which it was most significant; q is a false-discovery rate.")
        .datasource(DATABASE)
        .with_target(rows(NOW))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/"))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .unit("short")
        .mappings(stage_colours())
        .override_by_name("growth", column(unit="suffix:×", decimals=1))
        .override_by_name("score", column(decimals=2))
        .no_value("no such trend")
    )


def _why() -> Table:
    return (
        Table()
        .title("Why")
        .description("The reason as it was told.")
        .datasource(DATABASE)
        .with_target(rows(WHY))
        .override_by_name("name", column(width=220, cell=TableAutoCellOptions(wrap_text=True)))
        .override_by_name("kind", column(width=90))
        .override_by_name("summary", column(cell=TableAutoCellOptions(wrap_text=True)))
        .override_by_name("why", column(cell=TableAutoCellOptions(wrap_text=True)))
        .override_by_name("category", column(width=100))
        .override_by_name("scopes", column(width=110))
        .override_by_name("began", column(width=165))
        .override_by_name("as of", column(width=165))
        .override_by_name("revision", column(width=80))
        .no_value("no such trend")
    )


def _course() -> TimeSeries:
    return (
        TimeSeries()
        .title("Reels of its leading signal, hour by hour")
        .description(
            "What was used, what was expected, and the forecast of the newest revision with the "
            "interval that four hours in five are in."
        )
        .datasource(DATABASE)
        .with_target(series(COURSE, "A"))
        .with_target(series(FORECAST, "B"))
        .interval("1h")
        .line_width(2)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .min(0)
        .unit("short")
        .override_by_name("reels", [colour("green"), Property("custom.fillOpacity", 10)])
        .override_by_name("expected", [colour("text"), *_dashes()])
        .override_by_name("forecast", [colour("orange"), *_dashes()])
        .override_by_name("low", [*_band(), Property("custom.lineWidth", 0)])
        .override_by_name(
            "high",
            [
                *_band(),
                Property("custom.lineWidth", 0),
                Property("custom.fillBelowTo", "low"),
                Property("custom.fillOpacity", 20),
            ],
        )
        .legend(legend("max", "lastNotNull"))
        .tooltip(tooltip())
        .no_value("nothing in this time range")
    )


def _dashes() -> list[Property]:
    return [Property("custom.lineStyle", LineStyle().fill("dash").dash([8, 6]).build())]


def _band() -> list[Property]:
    return [colour("orange"), Property("custom.hideFrom", HIDDEN)]


HIDDEN: Final = {"legend": True, "tooltip": False, "viz": False}


def _stages() -> StateTimeline:
    return (
        StateTimeline()
        .title("Stages")
        .description("The stage of each revision.")
        .datasource(DATABASE)
        .with_target(rows(STAGES_PASSED))
        .mappings(stage_colours())
        .merge_values(True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .legend(legend())
        .no_value("no revision in this time range")
    )


def _grew() -> TimeSeries:
    return (
        TimeSeries()
        .title("Growth, revision by revision")
        .description("People over expected people, and reels an hour.")
        .datasource(DATABASE)
        .with_target(series(GREW))
        .show_points(VisibilityMode.ALWAYS)
        .unit("short")
        .min(0)
        .override_by_name("growth", [Property("unit", "suffix:×")])
        .legend(legend())
        .tooltip(tooltip())
        .no_value("no revision in this time range")
    )


def _members() -> Table:
    return (
        Table()
        .title("Members")
        .description("The signals that rise together, with their share in the trend.")
        .datasource(DATABASE)
        .with_target(rows(MEMBERS))
        .override_by_name("kind", column(width=90))
        .override_by_name(
            "weight",
            [
                *column(
                    width=160,
                    decimals=2,
                    cell=TableBarGaugeCellOptions(mode=BarGaugeDisplayMode.BASIC),
                ),
                Property("min", 0),
                Property("max", 1),
                colour("semi-dark-blue"),
            ],
        )
        .override_by_name("reels", column(width=80))
        .no_value("no such trend")
    )


def _examples() -> Table:
    return (
        Table()
        .title("Examples")
        .description("Reels, the most telling first.")
        .datasource(DATABASE)
        .with_target(rows(EXAMPLES))
        .override_by_name("#", column(width=50))
        .no_value("none")
    )


def _revisions() -> Table:
    return (
        Table()
        .title("Revisions")
        .description("What was said of it, the newest first; a revision never changes.")
        .datasource(DATABASE)
        .with_target(rows(REVISIONS))
        .override_by_name("revision", column(label="#", width=50))
        .override_by_name("event_time", column(label="as of", width=165))
        .override_by_name(
            "stage",
            [
                *column(width=100, cell=TableColoredBackgroundCellOptions()),
                Property("mappings", stage_colours()),
            ],
        )
        .override_by_name("reels", column(width=70))
        .override_by_name("authors", column(label="people", width=70))
        .override_by_name("growth", column(width=80, decimals=1, unit="suffix:×"))
        .override_by_name("velocity_per_h", column(label="reels / h", width=90, decimals=1))
        .override_by_name("score", column(width=80, decimals=2))
        .override_by_name("q_value", column(label="q", width=80))
        .override_by_name("why", column(cell=TableAutoCellOptions(wrap_text=True)))
        .no_value("no such trend")
    )
