"""Which revisions a rule speaks of."""

from typing import Final, Literal

from operators.alerts.rules import Rule
from operators.alerts.words import Watch
from schemas.trends import Trend

OVER: Final = ("fading", "evergreen")
"""Stages in which a trend is no news any more, unless a rule asks for them."""

Status = Literal["firing", "resolved"]
"""A trend is told, or told to be over."""


class Matching:
    """A rule, as it is applied to revisions."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._watch = Watch(rule.words) if rule.words else None

    def status(self, trend: Trend) -> Status | None:
        """What a revision says under the rule, if a trend that is over was told before."""
        if self.begins(trend):
            return "firing"
        return "resolved" if self.ends(trend) else None

    def begins(self, trend: Trend) -> bool:
        """Whether a revision is of what the rule tells."""
        rule = self.rule
        return (
            trend.stage in rule.stages
            and (not rule.kinds or trend.kind in rule.kinds)
            and (not rule.scopes or not set(rule.scopes).isdisjoint(trend.scopes))
            and trend.score >= rule.min_score
            and trend.authors >= rule.min_authors
            and (self._watch is None or self._watch.finds(_texts(trend)))
        )

    def ends(self, trend: Trend) -> bool:
        """Whether a trend that was told is over."""
        return self.rule.resolve and trend.stage in OVER and trend.stage not in self.rule.stages


def _texts(trend: Trend) -> list[str]:
    """Where watched words are looked for."""
    ids = [one.id for one in trend.members if one.kind in ("hashtag", "phrase")]
    return [trend.name, *(one.label for one in trend.members), *ids]
