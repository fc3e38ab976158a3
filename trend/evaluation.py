"""Marks alerts against the answer key of a simulated stream.

A trend's **alert** is its first revision in stage `emerging`, or its first revision where none is.
It **names** a planted trend when one of its members belongs to it and it did not come before the
planted trend's first reel. Of a planted pair, whose members are known by themselves, it must have
both. A phrase belongs when it is one of the planted phrases or has one of
them in it, word by word. Background tags that planted reels also carry are not in the answer key.

- recall: planted trends that an alert names, over all planted trends;
- recall before the peak: the same, by an alert no later than the peak;
- precision: alerts that name a planted trend, over all alerts;
- lead: peak minus first alert, in hours, and as a share of the rise (first reel to peak);
- recall in the first half: planted trends that an alert names in the first half of their rise;
- stages: at the end of each hour from a planted trend's first alert to its last reel, the stage
  told last of the trend of that alert, against the true one: `emerging` until its planned rate
  without the daily wave is half of its highest, `peaking` while it is that, `fading` after. The
  figure is the mean of the three stages' F1, over the hours of all trends together.

An alert that names nothing planted is false; its cause is the first of: spam of up to five
accounts, spam of more, fizzle, weekly tag, monthly tag (by member), outage, surge (by time, up to
an hour after the volume is itself again), background.

References
----------
Nikolov & Shah 2012, "Trend or No Trend", judge by lead over a known onset in the same way.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

from trend.simulator.truth import Disruption, Planted, Truth, TruthMember

CAUSES = (
    "spam_few", "spam_many", "fizzle", "weekly", "monthly", "outage", "surge", "background"
)  # fmt: skip
FEW_ACCOUNTS: Final = 5
WARM_UP = timedelta(hours=24)
"""Time without a yesterday to compare with; the second set of figures does without it."""

AFTERMATH = timedelta(hours=1)
HOUR = timedelta(hours=1)
STAGES: Final = ("emerging", "peaking", "fading")
"""Those that a planted trend goes through."""

Told = Mapping[str, Sequence[tuple[datetime, str]]]
"""Of each trend by its id: when it was said to be in which stage, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What was said of one trend for the first time: when, and of which signals."""

    trend_id: str
    event_time: datetime
    members: tuple[TruthMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFigures:
    """Figures over the planted trends of one kind; None where there is nothing to divide by."""

    planted: int
    recall: float | None
    recall_before_peak: float | None
    median_lead_h: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures over one stretch of a stream; None where there is nothing to divide by.

    `named` counts alerts that name a planted trend, `merged` those of them that name several.
    """

    days: float
    planted: int
    detected: int
    detected_before_peak: int
    alerts: int
    named: int
    merged: int
    recall: float | None
    recall_before_peak: float | None
    recall_first_half: float | None
    precision: float | None
    median_lead_h: float | None
    median_lead_share: float | None
    alerts_per_detected_trend: float | None
    alerts_per_day: float
    false_alerts: dict[str, int]
    kinds: dict[str, KindFigures]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Figures of a whole stream, and of what comes after its first day."""

    whole: Figures
    after_first_day: Figures
    missed: tuple[str, ...]  # keys of planted trends that no alert names
    alerted_h: dict[str, float]  # hours from the stream's start to the first alert of the others
    stage_f1: float | None = None  # None where no stages were told

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain values, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Give the report as plain text: whole stream and after the first day side by side."""
        both = (self.whole, self.after_first_day)
        rows: list[tuple[str, list[str]]] = [
            ("", ["whole", "after day 1"]),
            ("planted trends", [str(x.planted) for x in both]),
            ("recall", [_share(x.recall) for x in both]),
            ("recall before the peak", [_share(x.recall_before_peak) for x in both]),
            ("recall in the first half", [_share(x.recall_first_half) for x in both]),
            ("precision", [_share(x.precision) for x in both]),
            ("lead, median", [_number(x.median_lead_h, " h") for x in both]),
            ("lead, share of the rise", [_share(x.median_lead_share) for x in both]),
            ("alerts", [str(x.alerts) for x in both]),
            ("alerts a detected trend", [_number(x.alerts_per_detected_trend, "") for x in both]),
            ("alerts a day", [_number(x.alerts_per_day, "") for x in both]),
            ("alerts on several trends", [str(x.merged) for x in both]),
        ]
        rows += [
            (f"false: {cause.replace('_', ', ')}", [str(x.false_alerts[cause]) for x in both])
            for cause in CAUSES
        ]
        for kind in self.whole.kinds:
            figures = [x.kinds.get(kind) for x in both]
            rows.append(
                (
                    f"{kind}: before peak / recall",
                    [
                        f"{_share(x.recall_before_peak)} / {_share(x.recall)}" if x else "-"
                        for x in figures
                    ],
                )
            )
        if self.stage_f1 is not None:
            rows.append(("stages, macro-F1", [_share(self.stage_f1), ""]))
        return [f"{name:<30}{values[0]:>16}{values[1]:>16}".rstrip() for name, values in rows]


def evaluate(truth: Truth, alerts: Sequence[Alert], told: Told | None = None) -> Report:
    """Mark alerts: over the whole stream, and over what comes after its first day.

    After the first day, alerts are those decided then and planted trends those that peak then; such
    a trend counts as detected also by an alert of the first day.

    Parameters
    ----------
    truth: the answer key.
    alerts: one for each trend, in any order.
    told: the stages of the trends; None: stages are not marked.
    """
    known = _Known(truth)
    marked = [(alert, known.named(alert)) for alert in alerts]
    first = _first(marked)
    return Report(
        whole=_figures(known, marked, truth.start),
        after_first_day=_figures(known, marked, truth.start + WARM_UP),
        missed=tuple(planted.key for planted in truth.trends if planted.key not in first),
        alerted_h={
            planted.key: round((first[planted.key].event_time - truth.start) / HOUR, 2)
            for planted in truth.trends
            if planted.key in first
        },
        stage_f1=None if told is None else _stage_f1(truth, first, told),
    )


def _first(marked: Iterable[tuple[Alert, frozenset[str]]]) -> dict[str, Alert]:
    """Return the first alert of each planted trend that has one."""
    first: dict[str, Alert] = {}
    for alert, keys in sorted(marked, key=lambda one: (one[0].event_time, one[0].trend_id)):
        for key in keys:
            first.setdefault(key, alert)
    return first


def true_stage(planted: Planted, moment: datetime) -> str:
    """Say in which stage a planted trend is, which must have `half_up` and `half_down`."""
    assert planted.half_up is not None
    assert planted.half_down is not None
    if moment < planted.half_up:
        return "emerging"
    return "peaking" if moment < planted.half_down else "fading"


def _stage_f1(truth: Truth, first: Mapping[str, Alert], told: Told) -> float | None:
    """Mean F1 of the stages over all hours in which a planted trend was told of."""
    pairs: Counter[tuple[str, str]] = Counter()
    for planted in truth.trends:
        if planted.key not in first or planted.half_up is None:
            continue
        alert = first[planted.key]
        hours = (alert.event_time - truth.start) // HOUR + 1
        moment = truth.start + hours * HOUR
        stages = [*told.get(alert.trend_id, ())]
        at, said = 0, "emerging"
        while moment <= planted.end:
            while at < len(stages) and stages[at][0] <= moment:
                said = stages[at][1]
                at += 1
            pairs[true_stage(planted, moment), said] += 1
            moment += HOUR
    scores = []
    for stage in STAGES:
        true = sum(n for (is_, _), n in pairs.items() if is_ == stage)
        said_so = sum(n for (_, said), n in pairs.items() if said == stage)
        if true + said_so:
            scores.append(2 * pairs[stage, stage] / (true + said_so))
    return sum(scores) / len(scores) if scores else None


class _Known:
    """The answer key, looked up by member."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.planted = {planted.key: planted for planted in truth.trends}
        self._planted = _by_member((x.key, x.members) for x in truth.trends)
        self._causes = {
            "spam_few": _by_member(
                (x.key, x.members) for x in truth.spam if x.authors <= FEW_ACCOUNTS
            ),
            "spam_many": _by_member(
                (x.key, x.members) for x in truth.spam if x.authors > FEW_ACCOUNTS
            ),
            "fizzle": _by_member((x.key, x.members) for x in truth.fizzles),
            "weekly": _by_member((x.key, x.members) for x in truth.weekly),
            "monthly": _by_member((x.key, x.members) for x in truth.monthly),
        }

    def named(self, alert: Alert) -> frozenset[str]:
        """Keys of the planted trends that an alert names."""
        readings = _readings(alert.members)
        keys = {key for x in readings for key in self._planted.get(x, ())}
        return frozenset(
            key
            for key in keys
            if alert.event_time >= self.planted[key].start
            and (self.planted[key].kind != "pair" or set(self.planted[key].members) <= {*readings})
        )

    def cause(self, alert: Alert) -> str:
        """Say why a false alert was raised."""
        readings = _readings(alert.members)
        for cause, members in self._causes.items():
            if any(x in members for x in readings):
                return cause
        if _during(self.truth.outages, alert.event_time):
            return "outage"
        return "surge" if _during(self.truth.surges, alert.event_time) else "background"


def _by_member(
    groups: Iterable[tuple[str, tuple[TruthMember, ...]]],
) -> dict[TruthMember, list[str]]:
    table: dict[TruthMember, list[str]] = {}
    for key, members in groups:
        for member in members:
            table.setdefault(member, []).append(key)
    return table


def _readings(members: Iterable[TruthMember]) -> list[TruthMember]:
    """Members, and for a phrase also every run of its words of two or more."""
    readings = []
    for member in members:
        readings.append(member)
        if member.kind == "phrase":
            words = member.id.split(" ")
            readings += [
                TruthMember(kind="phrase", id=" ".join(words[at:end]))
                for at in range(len(words))
                for end in range(at + 2, len(words) + 1)
                if end - at < len(words)
            ]
    return readings


def _during(disruptions: Iterable[Disruption], moment: datetime) -> bool:
    return any(x.start <= moment <= x.settled + AFTERMATH for x in disruptions)


def _figures(known: _Known, marked: list[tuple[Alert, frozenset[str]]], begin: datetime) -> Figures:
    planted = [x for x in known.truth.trends if x.peak >= begin]
    first = {key: alert.event_time for key, alert in _first(marked).items()}
    count = Counter(key for _, keys in marked for key in keys)
    counted = [(alert, keys) for alert, keys in marked if alert.event_time >= begin]
    named = [keys for _, keys in counted if keys]
    false = Counter(known.cause(alert) for alert, keys in counted if not keys)
    detected = [x for x in planted if x.key in first]
    before = [x for x in detected if first[x.key] <= x.peak]
    rising = [x for x in detected if x.peak > x.start]
    days = (known.truth.end - begin) / timedelta(days=1)
    return Figures(
        days=days,
        planted=len(planted),
        detected=len(detected),
        detected_before_peak=len(before),
        alerts=len(counted),
        named=len(named),
        merged=sum(len(keys) > 1 for keys in named),
        recall=_ratio(len(detected), len(planted)),
        recall_before_peak=_ratio(len(before), len(planted)),
        recall_first_half=_ratio(
            sum(first[x.key] <= x.start + (x.peak - x.start) / 2 for x in detected), len(planted)
        ),
        precision=_ratio(len(named), len(counted)),
        median_lead_h=_median([(x.peak - first[x.key]) / HOUR for x in detected]),
        median_lead_share=_median([(x.peak - first[x.key]) / (x.peak - x.start) for x in rising]),
        alerts_per_detected_trend=_ratio(sum(count[x.key] for x in detected), len(detected)),
        alerts_per_day=len(counted) / days if days > 0 else 0.0,
        false_alerts={cause: false[cause] for cause in CAUSES},
        kinds={
            kind: _kind_figures([x for x in planted if x.kind == kind], first)
            for kind in sorted({x.kind for x in planted})
        },
    )


def _kind_figures(planted: list[Planted], first: dict[str, datetime]) -> KindFigures:
    detected = [x for x in planted if x.key in first]
    before = sum(first[x.key] <= x.peak for x in detected)
    return KindFigures(
        planted=len(planted),
        recall=_ratio(len(detected), len(planted)),
        recall_before_peak=_ratio(before, len(planted)),
        median_lead_h=_median([(x.peak - first[x.key]) / HOUR for x in detected]),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _median(values: list[float]) -> float | None:
    return median(values) if values else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.1f}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewFigures:
    """Spam crews of some number of accounts, and how many of them became a trend."""

    crews: int
    alerted: int
    """Crews with a member in any alert, also in one that names a planted trend."""


def crew_figures(truth: Truth, alerts: Iterable[Alert]) -> dict[str, CrewFigures]:
    """Say how many spam crews became a trend: those of up to five accounts, and those of more."""
    members = _by_member((x.key, x.members) for x in truth.spam)
    alerted = {
        key
        for alert in alerts
        for reading in _readings(alert.members)
        for key in members.get(reading, ())
    }
    sizes = {
        "up to 5": [x.key for x in truth.spam if x.authors <= FEW_ACCOUNTS],
        "more": [x.key for x in truth.spam if x.authors > FEW_ACCOUNTS],
    }
    return {
        size: CrewFigures(crews=len(keys), alerted=len(alerted.intersection(keys)))
        for size, keys in sizes.items()
    }
