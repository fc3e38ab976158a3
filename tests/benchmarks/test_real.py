"""What `benchmarks.triplej` and `benchmarks.nab` make of small files of the same shape."""

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from benchmarks import nab, triplej

START = datetime(2012, 2, 5, 14, tzinfo=UTC)  # midnight before a Monday, ten hours east


def played(path: Path, plays: list[tuple[float, str]]) -> Path:
    """Write plays: hours from the start, and the track."""
    with gzip.open(path, "wt", newline="") as file:
        out = csv.writer(file)
        out.writerow("unix_ts,local_date,local_time,track,artist,album,program".split(","))
        for hours, track in plays:
            time = int((START + timedelta(hours=hours)).timestamp())
            out.writerow([time, "", "", track, "someone", "", ""])
    return path


def week(number: int, counts: dict[str, int]) -> list[tuple[float, str]]:
    """Plays spread over a week."""
    every = [track for track, many in counts.items() for _ in range(many)]
    return [(168 * (number + (at + 0.5) / len(every)), track) for at, track in enumerate(every)]


USUAL = {f"track {at}": 30 - at for at in range(22)}


@pytest.fixture
def plays(tmp_path: Path) -> triplej.Plays:
    weeks = [week(number, USUAL) for number in range(5)]
    weeks.append(week(5, USUAL | {"new": 25, "tied": 11}))
    weeks.append(week(7, {"few": 5}))
    file = played(tmp_path / "plays.csv.gz", [one for some in weeks for one in some])
    return triplej.read_plays(str(file))


def test_a_breakout_is_new_in_the_chart_of_a_whole_week(plays: triplej.Plays) -> None:
    new = plays.track[plays.title.index("new")]
    assert triplej.breakouts(plays) == {new: int((START + timedelta(weeks=6)).timestamp())}


def test_alerts_are_in_time_until_the_chart_is_made(plays: triplej.Plays) -> None:
    entered = triplej.breakouts(plays)
    ((new, end),) = entered.items()
    before = triplej.mark(plays, entered, [(end - 3600, new), (end - 9 * 86_400, "other")])
    assert (before["found"], before["rate"], before["early"]) == (1, 1.0, 0.0)
    assert (before["precision"], before["lead_h"]) == (0.5, 1.0)
    early = triplej.mark(plays, entered, [(end - 8 * 86_400, new)])
    assert early["early"] == 1.0
    late = triplej.mark(plays, entered, [(end, new)])
    assert (late["found"], late["precision"]) == (0, 0.0)


def test_alerts_behind_a_gap_are_compared_with_the_others(plays: triplej.Plays) -> None:
    ((begin, end),) = [gap for gap in triplej.gaps(plays) if gap[1] - gap[0] > 5 * 86_400]
    usual = [(plays.time[0] + day * 86_400.0, "x") for day in range(28)]
    calm = triplej.mark(plays, {"x": begin}, usual)
    assert calm["after_gaps"] == 0
    burst = triplej.mark(
        plays, {"x": begin}, [*usual, *[(end + 60.0 * at, "y") for at in range(50)]]
    )
    assert burst["after_gaps"] > 5


def test_plays_become_reels_with_a_sound_and_an_author_each(
    plays: triplej.Plays, tmp_path: Path
) -> None:
    file = tmp_path / "reels.jsonl"
    triplej.write_reels(plays, file)
    reels = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({reel["author_id"] for reel in reels}) == len(reels) == len(plays.time)
    assert {reel["audio"]["audio_id"] for reel in reels} == set(plays.track)
    assert reels[0]["published_at"] == "2012-02-05T14:11:44Z"


@pytest.fixture
def mentions(tmp_path: Path) -> nab.Mentions:
    rng = np.random.default_rng(1)
    count = rng.poisson(20, 3000)
    count[2000:2030] += 200
    folder = tmp_path / "tweets"
    folder.mkdir()
    with (folder / "Twitter_volume_X.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["timestamp", "value"])
        for at, many in enumerate(count.tolist()):
            moment = datetime(2015, 2, 26, 21, 42, 53, tzinfo=UTC) + timedelta(minutes=5 * at)
            out.writerow([moment.strftime("%Y-%m-%d %H:%M:%S"), many])
    moments = [
        (datetime(2015, 2, 26, 21, 42, 53, tzinfo=UTC) + timedelta(minutes=5 * at)).strftime(
            "%Y-%m-%d %H:%M:%S.000000"
        )
        for at in (1950, 2149)
    ]
    windows = tmp_path / "windows.json"
    windows.write_text(json.dumps({"realTweets/Twitter_volume_X.csv": [moments]}))
    (series,) = nab.read(folder, windows)
    return series


STANDARD = nab.PROFILES["standard"]


def test_a_series_is_read_with_its_windows(mentions: nab.Mentions) -> None:
    assert mentions.windows == ((1950, 2149),)
    assert mentions.probation == 450
    assert mentions.count[2010] > 150


@pytest.mark.parametrize(
    ("places", "score"),
    [
        ([], -1.0),
        ([1950], 1.0),
        ([2149], nab.sigmoid(-1 / 200) / nab.sigmoid(-1)),
        ([1950, 2000, 2149], 1.0),
        ([100], -1.0),  # on probation
        ([1900], -1.11),  # before any window
        ([1900, 1950], 0.89),
        ([1950, 2159], 1 + 0.11 * nab.sigmoid(10 / 199)),
        ([1950, 2999], 1 - 0.11),
    ],
)
def test_detections_are_scored_as_nab_does(
    mentions: nab.Mentions, places: list[int], score: float
) -> None:
    assert nab.scored(mentions, places, STANDARD) == pytest.approx(score, abs=1e-6)


def test_a_burst_in_the_window_is_found_at_once_by_ours(mentions: nab.Mentions) -> None:
    found = nab.detections(mentions, nab.evidence(mentions)[None, :])
    score, hits, false = nab.best([mentions], {mentions.name: found}, STANDARD)
    first = 2003  # three ticks of ten times as much
    expected = nab.scored(mentions, [first], STANDARD)
    assert (hits, false) == (1, 0)
    assert score >= 100 * (expected + 1) / 2 - 1e-6


def test_the_best_threshold_may_be_one_that_nothing_passes(mentions: nab.Mentions) -> None:
    scores = np.zeros((1, 3000))
    scores[0, [600, 1300]] = 1.0
    found = nab.detections(mentions, scores)
    assert nab.best([mentions], {mentions.name: found}, STANDARD) == (0.0, 0, 0)
