"""How the dashboards look: the colours of stages, columns of tables, places of panels."""

from typing import Final, TypeVar

from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TableCellOptions,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    GridPos,
    Panel,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

STAGES: Final = {"emerging": "green", "peaking": "orange", "fading": "blue", "evergreen": "purple"}
"""Each stage, in the order of the tables, and its colour."""

WIDTH: Final = 24
"""Columns of Grafana's grid."""

Property = DynamicConfigValue

P = TypeVar("P", bound=Builder[Panel])


def stage_colours() -> list[ValueMapping]:
    """The names of stages in their colours."""
    return [
        ValueMap(
            options={
                stage: ValueMappingResult(text=stage, color=colour, index=index)
                for index, (stage, colour) in enumerate(STAGES.items())
            }
        )
    ]


def column(
    *,
    label: str | None = None,
    width: int | None = None,
    unit: str | None = None,
    decimals: int | None = None,
    cell: TableCellOptions | None = None,
    hidden: bool = False,
) -> list[Property]:
    """What is special about one column of a table."""
    chosen = {
        "displayName": label,
        "custom.width": width,
        "unit": unit,
        "decimals": decimals,
        "custom.cellOptions": cell,
        "custom.hidden": hidden or None,
    }
    return [
        Property(id_val=name, value=value) for name, value in chosen.items() if value is not None
    ]


def link(title: str, url: str) -> Property:
    """A link on each value of a column or series."""
    return Property(id_val="links", value=[{"title": title, "url": url}])


def colour(name: str) -> Property:
    """One colour for a series."""
    return Property(id_val="color", value={"mode": "fixed", "fixedColor": name})


def legend(*calcs: str) -> VizLegendOptions:
    """Names under a chart; with calculations (`max`, `lastNotNull`) a table of them."""
    shown = LegendDisplayMode.TABLE if calcs else LegendDisplayMode.LIST
    below = VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    return below.display_mode(shown).calcs([*calcs])


def tooltip() -> VizTooltipOptions:
    """All series at the place of the pointer, the largest first."""
    return VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)


class Layout:
    """Puts panels into rows from left to right, and numbers them."""

    def __init__(self, board: Dashboard) -> None:
        self._board = board
        self._number = 0
        self._x = self._y = self._tallest = 0

    def add(self, panel: Builder[Panel], width: int, height: int) -> None:
        """The next panel; where the row has no room for its `width`, in a new row."""
        if self._x + width > WIDTH:
            self._x, self._y, self._tallest = 0, self._y + self._tallest, 0
        self._number += 1
        built = panel.build()
        built.id_val = self._number
        built.grid_pos = GridPos(h=height, w=width, x=self._x, y=self._y)
        self._x += width
        self._tallest = max(self._tallest, height)
        self._board.with_panel(_Placed(built))


class _Placed(Builder[Panel]):
    def __init__(self, panel: Panel) -> None:
        self._panel = panel

    def build(self) -> Panel:
        return self._panel
