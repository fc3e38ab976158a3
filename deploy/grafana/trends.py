"""The trend board: what is taking off now, with its stage, growth and course, and what changed.

Times are those of events: for a replay of old reels the time range is that of the reels.
"""

from typing import Final

from grafana_foundation_sdk.builders.common import ReduceDataOptions, StackingConfig
from grafana_foundation_sdk.builders.dashboard import Dashboard as Board
from grafana_foundation_sdk.builders.dashboard import TextBoxVariable
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    StackingMode,
    TableAutoCellOptions,
    TableBarGaugeCellOptions,
    TableColoredBackgroundCellOptions,
    TableSparklineCellOptions,
)
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DataTransformerConfig,
    MatcherConfig,
)

from deploy.grafana.looks import (
    STAGES,
    Layout,
    Property,
    colour,
    column,
    legend,
    link,
    stage_colours,
    tooltip,
)
from deploy.grafana.queries import DATABASE, choice, database, rows, series

UID: Final = "groundswell-trends"
TREND_UID: Final = "groundswell-trend"

ORDER: Final = "array_position(ARRAY[" + ", ".join(f"'{one}'" for one in STAGES) + "], stage)"

WANTED: Final = """kind = ANY (ARRAY[${kind:sqlstring}]::text[])
    AND stage = ANY (ARRAY[${stage:sqlstring}]::text[])
    AND scopes && ARRAY[${scope:sqlstring}]::text[]
    AND strpos(lower(name), lower(${search:sqlstring})) > 0"""
"""What the variables choose, which is nothing while there are no trends. An empty search finds
everything."""

MOST: Final = 100
"""Trends in the table."""

CHOSEN: Final = f"""SELECT *
  FROM groundswell.trends
  WHERE $__timeFilter(event_time)
    AND {WANTED}
  ORDER BY {ORDER}, score DESC, trend_id
  LIMIT {MOST}"""

STEP: Final = "$__interval_ms * interval '1 millisecond'"

COUNTS: Final = f"""
SELECT {", ".join(f"count(*) FILTER (WHERE stage = '{one}') AS {one}" for one in STAGES)}
FROM groundswell.trends
WHERE $__timeFilter(event_time)
    AND {WANTED}
"""

NEW: Final = f"""
SELECT date_bin({STEP}, event_time, timestamptz 'epoch') AS time, kind AS metric,
  count(*) AS trends
FROM groundswell.trend_revisions
WHERE revision = 1
    AND $__timeFilter(event_time)
    AND {WANTED}
GROUP BY 1, 2
ORDER BY 1, 2
"""

WRITTEN: Final = """
SELECT event_time AS "newest revision", written_at AS "last write"
FROM groundswell.position
WHERE sink = 'trends'
"""

TRENDS: Final = f"""
SELECT trend_id, name, stage, kind, score, growth, velocity_per_h, reels, authors, expected,
  array_to_string(scopes, ', ') AS scopes, started_at, event_time, why,
  (extract(epoch FROM started_at - interval '2 days') * 1000)::bigint::text AS from_ms,
  (extract(epoch FROM event_time + interval '25 hours') * 1000)::bigint::text AS to_ms
FROM (
  {CHOSEN}
) AS chosen
ORDER BY {ORDER}, score DESC, trend_id
"""

COURSES: Final = f"""
WITH chosen AS (
  {CHOSEN}
), steps AS (
  SELECT generate_series(
    date_bin({STEP}, $__timeFrom()::timestamptz, timestamptz 'epoch'),
    least($__timeTo()::timestamptz, (SELECT max(event_time) FROM chosen)),
    {STEP}) AS time
), counts AS (
  SELECT trend_id, date_bin({STEP}, bucket, timestamptz 'epoch') AS time, sum(reels) AS reels
  FROM groundswell.signal_counts_1h
  WHERE trend_id IN (SELECT trend_id FROM chosen) AND $__timeFilter(bucket)
  GROUP BY 1, 2
)
SELECT time, trend_id,
  CASE WHEN time <= event_time THEN coalesce(counts.reels, 0)::float8 END AS reels
FROM steps CROSS JOIN chosen LEFT JOIN counts USING (trend_id, time)
ORDER BY time, trend_id
"""

CHANGES: Final = f"""
SELECT event_time, trend_id, name, before, stage, kind, reels, growth, score
FROM (
  SELECT *, lag(stage) OVER (PARTITION BY trend_id ORDER BY revision) AS before
  FROM groundswell.trend_revisions
  WHERE $__timeFilter(event_time)
) AS revised
WHERE (revision = 1 OR before <> stage)
    AND {WANTED}
ORDER BY event_time DESC, trend_id
LIMIT {MOST}
"""

PAGE: Final = f'/d/{TREND_UID}?var-trend=${{__data.fields["trend_id"]}}&var-database=$database'


def trends() -> Dashboard:
    """The whole board."""
    board = (
        Board("Groundswell: trends")
        .uid(UID)
        .description("What is taking off, while it is still small.")
        .tags(["groundswell"])
        .time("now-7d", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(database())
        .with_variable(choice("stage", "Stage", _values("stage", ORDER)))
        .with_variable(choice("kind", "Kind", _values("kind", "kind")))
        .with_variable(choice("scope", "Scope", SCOPES))
        .with_variable(TextBoxVariable("search").label("Name contains").default_value(""))
    )
    layout = Layout(board)
    layout.add(_counts(), 10, 5)
    layout.add(_new(), 10, 5)
    layout.add(_written(), 4, 5)
    layout.add(_trends(), 24, 17)
    layout.add(_changes(), 24, 10)
    return board.build()


def _values(name: str, order: str) -> str:
    return f"SELECT {name} FROM groundswell.trends GROUP BY {name} ORDER BY {order}"


SCOPES: Final = "SELECT DISTINCT unnest(scopes) AS scope FROM groundswell.trends ORDER BY scope"


def _counts() -> Stat:
    panel = (
        Stat()
        .title("Trends by stage")
        .description("Trends whose newest revision is in the time range.")
        .datasource(DATABASE)
        .with_target(rows(COUNTS))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/"))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .unit("short")
    )
    for stage, name in STAGES.items():
        panel.override_by_name(stage, [colour(name)])
    return panel


def _new() -> TimeSeries:
    return (
        TimeSeries()
        .title("New trends")
        .description("Trends by the time at which they were told first.")
        .datasource(DATABASE)
        .with_target(series(NEW))
        .interval("1h")
        .max_data_points(60)
        .draw_style(GraphDrawStyle.BARS)
        .fill_opacity(70)
        .stacking(StackingConfig().mode(StackingMode.NORMAL))
        .min(0)
        .decimals(0)
        .unit("short")
        .legend(legend())
        .tooltip(tooltip())
    )


def _written() -> Stat:
    return (
        Stat()
        .title("The database is at")
        .description("Event time of the newest revision, and when one was written last.")
        .datasource(DATABASE)
        .with_target(rows(WRITTEN))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/"))
        .color_mode(BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.NONE)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .unit("dateTimeFromNow")
        .no_value("nothing written yet")
    )


def _trends() -> Table:
    """The rows of one query, joined with a series for each from the other."""
    links = [link("What this trend is", PAGE + FROM_TO)]
    return (
        Table()
        .title("Trends")
        .description(
            f"At most {MOST}: emerging ones first, then by score, which is how likely the trend "
            "was to take off. The name leads to more."
        )
        .datasource(DATABASE)
        .with_target(rows(TRENDS, "A"))
        .with_target(series(COURSES, "B"))
        .interval("1h")
        .max_data_points(60)
        .with_transformation(
            DataTransformerConfig(
                id_val="timeSeriesTable",
                filter_val=MatcherConfig(id_val="byRefId", options="B"),
                options={"B": {"stat": "lastNotNull"}},
            )
        )
        .with_transformation(
            DataTransformerConfig(
                id_val="joinByField", options={"byField": "trend_id", "mode": "inner"}
            )
        )
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {},
                    "indexByName": {name: place for place, name in enumerate(COLUMNS)},
                    "renameByName": {},
                },
            )
        )
        .with_override(
            MatcherConfig(id_val="byType", options="frame"),
            column(
                label="reels in time",
                width=180,
                cell=TableSparklineCellOptions(
                    hide_value=True, line_width=1, fill_opacity=20, line_color="text"
                ),
            ),
        )
        .override_by_name("trend_id", column(hidden=True))
        .override_by_name("from_ms", column(hidden=True))
        .override_by_name("to_ms", column(hidden=True))
        .override_by_name("name", [*column(width=220), *links])
        .override_by_name("stage", _stage(100))
        .override_by_name("kind", column(width=90))
        .override_by_name(
            "score",
            [
                *column(
                    width=110,
                    decimals=2,
                    cell=TableBarGaugeCellOptions(mode=BarGaugeDisplayMode.BASIC),
                ),
                Property(id_val="min", value=0),
                Property(id_val="max", value=1),
                colour("semi-dark-blue"),
            ],
        )
        .override_by_name("growth", column(width=80, decimals=1, unit="suffix:×"))
        .override_by_name("velocity_per_h", column(label="reels / h", width=80, decimals=1))
        .override_by_name("reels", column(width=70))
        .override_by_name("authors", column(label="people", width=70))
        .override_by_name("expected", column(width=80, decimals=1))
        .override_by_name("scopes", column(width=110))
        .override_by_name("started_at", column(label="began", width=120, unit="dateTimeFromNow"))
        .override_by_name("event_time", column(label="as of", width=120, unit="dateTimeFromNow"))
        .override_by_name("why", column(cell=TableAutoCellOptions(wrap_text=True)))
        .no_value("no trends in this time range")
    )


FROM_TO: Final = '&from=${__data.fields["from_ms"]}&to=${__data.fields["to_ms"]}'

COLUMNS: Final = (
    "name", "stage", "Trend #B", "score", "growth", "velocity_per_h", "reels", "authors",
    "expected", "kind", "scopes", "started_at", "event_time", "why",
)  # fmt: skip
"""The order of the table."""


def _changes() -> Table:
    return (
        Table()
        .title("What changed")
        .description(f"The newest {MOST} trends that were told, or came into another stage.")
        .datasource(DATABASE)
        .with_target(rows(CHANGES))
        .override_by_name("event_time", column(label="at", width=170))
        .override_by_name("trend_id", column(hidden=True))
        .override_by_name("name", [link("What this trend is", PAGE + "&${__url_time_range}")])
        .override_by_name("before", _stage(100))
        .override_by_name("stage", _stage(100))
        .override_by_name("kind", column(width=90))
        .override_by_name("reels", column(width=80))
        .override_by_name("growth", column(width=80, decimals=1, unit="suffix:×"))
        .override_by_name("score", column(width=80, decimals=2))
        .no_value("no changes in this time range")
    )


def _stage(width: int) -> list[Property]:
    return [
        *column(width=width, cell=TableColoredBackgroundCellOptions()),
        Property(id_val="mappings", value=stage_colours()),
    ]
