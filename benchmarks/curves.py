"""Draws what `benchmarks.quality` measured: how precision trades against lead and recall."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

PANELS: Final = {
    "lead_share": "median lead, as a share of the rise",
    "recall_first_half": "trends alerted in the first half of their rise",
    "recall_before_peak": "trends alerted before their peak",
}
QUALITY: Final = "precision of the alerts"


def draw(report: dict[str, Any], file: Path) -> None:
    """Draw one line a way: a point for each budget of a rival and for each setting of ours."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(PANELS), figsize=(16, 5.6), sharex=True)
    colours = plt.get_cmap("tab20")(range(len(report["rivals"])))
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        for colour, (rival, curve) in zip(colours, report["rivals"].items(), strict=True):
            x, y = points(curve, name)
            axes.plot(x, y, ".-", color=colour, linewidth=1.2, markersize=5, label=rival)
        x, y = points([*report["ours"].values()], name)
        axes.plot(x, y, "o-", color="black", linewidth=2.4, markersize=6, label="Groundswell")
        x, y = points([next(iter(report["ours"].values()))], name)
        axes.plot(x, y, "*", color="crimson", markersize=15, label="Groundswell, as set", zorder=5)
        axes.set_xlabel(QUALITY)
        axes.set_title(title, fontsize=11)
        axes.set_xlim(0, 1)
        axes.grid(alpha=0.3)
        if name != "lead_share":
            axes.set_ylim(0, 1)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=5, fontsize=9, frameon=False)
    stream = report["stream"]
    figure.suptitle(
        f"{report['seeds']} streams of {stream['days']} days, {stream['reels_per_day']:,} reels a "
        "day: up and to the right is better"
    )
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    figure.savefig(file, dpi=110)
    plt.close(figure)


def points(curve: Sequence[dict[str, Any]], name: str) -> tuple[list[float], list[float]]:
    """Precision and another figure, means over the seeds, by the number of alerts."""
    known = [one for one in curve if one[name] is not None and one["precision"] is not None]
    known.sort(key=lambda one: one["alerts_per_day"][0])
    return [one["precision"][0] for one in known], [one[name][0] for one in known]
