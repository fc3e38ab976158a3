"""What panels ask PostgreSQL and Prometheus, and the variables that choose which of them is meant.

The SDK has no builder for queries to PostgreSQL, so this is one.
"""

import json
from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
)

DATABASE: Final = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${database}")
PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="${prometheus}")

Format = Literal["table", "time_series"]


@dataclass(frozen=True, slots=True)
class PostgresQuery(Dataquery):
    """One query; its panel gets its rows as they are, or as series (`time`, labels, numbers)."""

    sql: str
    format: Format
    ref: str

    def to_json(self) -> dict[str, object]:
        """The target as a dashboard has it."""
        return {
            "datasource": DATABASE,
            "editorMode": "code",
            "format": self.format,
            "rawQuery": True,
            "rawSql": self.sql,
            "refId": self.ref,
        }


class _Ready(Builder[Dataquery]):
    """A builder of what is there already."""

    def __init__(self, query: PostgresQuery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return self._query


def rows(sql: str, ref: str = "A") -> Builder[Dataquery]:
    """A query whose rows are shown as they are, in their order."""
    return _Ready(PostgresQuery(sql.strip(), "table", ref))


def series(sql: str, ref: str = "A") -> Builder[Dataquery]:
    """A query for series; its rows must be in the order of `time`."""
    return _Ready(PostgresQuery(sql.strip(), "time_series", ref))


def metric(promql: str, legend: str, ref: str = "A") -> PrometheusQuery:
    """A query in PromQL over the time range of the dashboard."""
    query = PrometheusQuery().expr(promql).legend_format(legend).ref_id(ref).range()
    return query.datasource(PROMETHEUS)


def now(promql: str, legend: str, ref: str = "A") -> PrometheusQuery:
    """A query in PromQL at the end of the time range."""
    query = PrometheusQuery().expr(promql).legend_format(legend).ref_id(ref).instant()
    return query.datasource(PROMETHEUS)


def database() -> DatasourceVariable:
    """The variable that names the database."""
    return DatasourceVariable("database").label("Database").type("grafana-postgresql-datasource")


def prometheus() -> DatasourceVariable:
    """The variable that names the Prometheus."""
    return DatasourceVariable("prometheus").label("Prometheus").type("prometheus")


def choice(name: str, label: str, sql: str) -> QueryVariable:
    """A variable of which several values, or all, can be chosen; used as `${name:sqlstring}`."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATABASE)
        .query(sql.strip())
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .current(VariableOption(text=["All"], value=["$__all"]))
    )


def text(board: Dashboard) -> str:
    """The dashboard as a file has it: always the same for the same dashboard."""
    said = json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False)
    return said + "\n"
