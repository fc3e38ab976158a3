"""Where a trend holds: in a scope with enough people, and global unless nearly all are in one."""

import numpy as np
import pytest

from trend.homes import UNKNOWN, home, sums
from trend.scopes import Scope, scope, scopes_of

SCOPES = [scope(name) for name in ("region:BR", "region:US", "language:pt")]
SHARES = {"BR": 100, "US": 600, "DE": 300}


def people(**regions: int) -> np.ndarray:
    """So many of each region, Portuguese in Brazil and English elsewhere."""
    rows = [
        [home(name), home("pt" if name == "BR" else "en")]
        for name, number in regions.items()
        for _ in range(number)
    ]
    return np.array(rows, np.uint32).reshape(-1, 2)


PLATFORM = people(**SHARES)
USUAL = sums(PLATFORM, np.zeros(len(PLATFORM), np.int64), 1)[0]


def told(codes: np.ndarray, scale: float = 1.0, scopes: list[Scope] = SCOPES) -> tuple[str, ...]:
    return scopes_of(codes, USUAL, scale, 10, scopes)


def test_what_is_used_everywhere_is_global_and_holds_where_enough_people_are() -> None:
    assert told(people(BR=10, US=60, DE=30)) == ("global", "region:BR", "region:US", "language:pt")
    assert told(people(BR=3, US=18, DE=9)) == ("global", "region:US")


def test_what_is_used_in_one_place_is_local_there() -> None:
    assert told(people(BR=20, US=2)) == ("region:BR", "language:pt")


def test_a_scope_that_holds_most_of_the_platform_makes_nothing_local() -> None:
    assert told(people(US=30)) == ("global", "region:US")


def test_the_people_looked_at_stand_for_more() -> None:
    assert told(people(BR=4, US=6)) == ("global",)
    assert told(people(BR=4, US=6), 3.0) == ("global", "region:BR", "region:US", "language:pt")
    assert told(people(BR=2), 100.0) == ("global",)


@pytest.mark.parametrize("codes", [people(), np.full((30, 2), UNKNOWN, np.uint32)])
def test_of_reels_without_a_home_nothing_more_is_said(codes: np.ndarray) -> None:
    assert told(codes) == ("global",)


def test_no_scope_is_told_that_nobody_asked_for() -> None:
    assert told(people(BR=20), scopes=[]) == ("global",)


@pytest.mark.parametrize("name", ["BR", "region:", "city:Rio", "language:pt-BR", "global"])
def test_a_scope_needs_a_region_or_a_language(name: str) -> None:
    with pytest.raises(ValueError, match="scope is"):
        scope(name)
