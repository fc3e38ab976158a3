"""Marks against an answer key small enough to compute every figure by hand."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flows.evaluate import EvaluationError, evaluate_files, read_alerts
from trend.evaluation import Alert, CrewFigures, crew_figures, evaluate
from trend.simulator.truth import (
    Disruption,
    Distraction,
    MonthlyTag,
    Planted,
    Truth,
    TruthMember,
    WeeklyTag,
)

START = datetime(2026, 1, 5, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def member(text: str) -> TruthMember:
    kind, _, name = text.partition(":")
    return TruthMember(kind=kind, id=name)


def planted(key: str, kind: str, members: list[str], start: float, peak: float) -> Planted:
    return Planted(
        key=key,
        kind=kind,
        members=tuple(map(member, members)),
        region=None,
        start=at(start),
        peak=at(peak),
        end=at(peak + 10),
        reels=100,
        reels_before_peak=50,
        authors=95,
        doubling_h=4.0,
    )


def distraction(key: str, *members: str) -> Distraction:
    return Distraction(
        key=key,
        kind="challenge",
        members=tuple(map(member, members)),
        region=None,
        start=at(1),
        end=at(9),
        reels=30,
        authors=20,
    )


TRUTH = Truth(
    version=1,
    settings={"seed": 0},
    start=START,
    end=at(96),
    reels=10_000,
    lines=10_000,
    malformed=0,
    trends=(
        planted("early", "hashtag", ["hashtag:early"], 2, 12),
        planted("both", "challenge", ["sound:s1", "hashtag:catdrop"], 30, 50),
        planted("said", "phrase", ["phrase:gondola muffin"], 40, 60),
        planted("missed", "hashtag", ["hashtag:missed"], 50, 80),
    ),
    fizzles=(distraction("fizzle-0", "hashtag:fizz"),),
    spam=(distraction("spam-0", "hashtag:buy", "phrase:buy it now"),),
    weekly=(WeeklyTag(key="weekly-5", members=(member("hashtag:caturday"),), weekday=5, reels=70),),
    surges=(Disruption(key="surge-0", start=at(70), end=at(72), settled=at(72), factor=2.0),),
    outages=(Disruption(key="outage-0", start=at(75), end=at(77), settled=at(78), factor=0.0),),
    monthly=(MonthlyTag(key="monthly-7", members=(member("hashtag:payday"),), day=7, reels=40),),
)


def test_a_pair_is_named_by_both_of_its_members_alone() -> None:
    pair = planted("pair-0", "pair", ["sound:s9", "hashtag:known"], 30, 50)
    truth = replace(TRUTH, trends=(*TRUTH.trends, pair))
    one = evaluate(truth, [alert(40, "sound:s9"), alert(41, "hashtag:known")])
    assert one.whole.kinds["pair"].recall == 0
    assert one.whole.named == 0
    both = evaluate(truth, [alert(40, "sound:s9", "hashtag:known")])
    assert both.whole.kinds["pair"].recall_before_peak == 1


def alert(hours: float, *members: str) -> Alert:
    return Alert(
        trend_id=f"{hours} {members}", event_time=at(hours), members=tuple(map(member, members))
    )


ALERTS = (
    alert(7, "hashtag:early"),  # half of its rise of 10 h, lead 5 h
    alert(40, "hashtag:catdrop", "hashtag:fyp"),  # lead 10 h of 20
    alert(52, "sound:s1"),  # the same one again
    alert(65, "phrase:gondola muffin"),  # 5 h after the peak, of 20
    alert(3, "hashtag:fizz"),
    alert(30, "hashtag:fizz", "hashtag:buy"),  # spam comes first
    alert(31, "hashtag:caturday"),
    alert(73, "hashtag:a"),  # an hour after the surge
    alert(78.5, "hashtag:b"),  # half an hour after the outage was caught up
    alert(90, "hashtag:c"),
)


def test_recall_before_and_after_the_peak() -> None:
    whole = evaluate(TRUTH, ALERTS).whole
    assert (whole.planted, whole.detected, whole.detected_before_peak) == (4, 3, 2)
    assert (whole.recall, whole.recall_before_peak) == (0.75, 0.5)


def test_precision_counts_every_alert_on_a_planted_trend_as_right() -> None:
    whole = evaluate(TRUTH, ALERTS).whole
    assert (whole.alerts, whole.named, whole.precision) == (10, 4, 0.4)
    assert whole.alerts_per_detected_trend == pytest.approx(4 / 3)
    assert whole.alerts_per_day == 2.5


def test_lead_is_the_median_over_the_first_alerts() -> None:
    whole = evaluate(TRUTH, ALERTS).whole
    assert whole.median_lead_h == 5.0  # of 5, 10 and -5
    assert whole.median_lead_share == 0.5  # of 0.5, 0.5 and -0.25


def test_false_alerts_have_a_cause() -> None:
    assert evaluate(TRUTH, ALERTS).whole.false_alerts == {
        "spam_few": 0,
        "spam_many": 1,
        "fizzle": 1,
        "weekly": 1,
        "monthly": 0,
        "outage": 1,
        "surge": 1,
        "background": 1,
    }


def test_spam_is_told_by_the_number_of_accounts_and_tags_by_when_they_come_back() -> None:
    few = replace(distraction("spam-1", "hashtag:loud"), authors=5)
    truth = replace(TRUTH, spam=(*TRUTH.spam, few))
    alerts = [alert(20, "hashtag:loud"), alert(21, "hashtag:buy"), alert(22, "hashtag:payday")]
    false = evaluate(truth, alerts).whole.false_alerts
    assert {cause for cause, many in false.items() if many} == {
        "spam_few", "spam_many", "monthly"
    }  # fmt: skip


def test_recall_in_the_first_half_of_the_rise() -> None:
    whole = evaluate(TRUTH, ALERTS).whole
    assert whole.recall_first_half == 0.5  # two at just half of it
    later = [alert(7.5, "hashtag:early"), alert(40, "hashtag:catdrop")]
    assert evaluate(TRUTH, later).whole.recall_first_half == 0.25


def test_the_first_alert_of_each_planted_trend_is_told() -> None:
    assert evaluate(TRUTH, ALERTS).alerted_h == {"early": 7.0, "both": 40.0, "said": 65.0}


def staged(key: str, up: float, down: float) -> Planted:
    one = planted(key, "hashtag", [f"hashtag:{key}"], 0, 10)
    return replace(one, half_up=at(up), half_down=at(down), end=at(12))


def test_stages_that_are_told_as_they_are_score_one_and_no_others() -> None:
    truth = with_trends(staged("a", 4, 8))
    alerts = [alert(1.5, "hashtag:a")]
    name = alerts[0].trend_id
    right = [(at(1.5), "emerging"), (at(4), "peaking"), (at(8), "fading")]
    assert evaluate(truth, alerts, {name: right}).stage_f1 == 1.0
    # of eleven hours, from 2 to 12, all emerging: two are so
    found = evaluate(truth, alerts, {name: right[:1]}).stage_f1
    assert found == pytest.approx((2 * 2 / (2 + 11) + 0 + 0) / 3)
    late = [right[0], (at(5), "peaking"), (at(8), "evergreen")]
    f1 = [2 * 2 / (2 + 3), 2 * 3 / (4 + 3), 0.0]
    assert evaluate(truth, alerts, {name: late}).stage_f1 == pytest.approx(sum(f1) / 3)


def test_without_stages_or_true_ones_there_is_no_figure() -> None:
    assert evaluate(TRUTH, ALERTS).stage_f1 is None
    assert evaluate(TRUTH, ALERTS, {}).stage_f1 is None  # an answer key without half heights


def test_figures_by_kind() -> None:
    kinds = evaluate(TRUTH, ALERTS).whole.kinds
    assert list(kinds) == ["challenge", "hashtag", "phrase"]
    assert (kinds["hashtag"].planted, kinds["hashtag"].recall) == (2, 0.5)
    assert kinds["hashtag"].median_lead_h == 5.0
    assert (kinds["phrase"].recall, kinds["phrase"].recall_before_peak) == (1.0, 0.0)
    assert (kinds["phrase"].median_lead_h, kinds["challenge"].median_lead_h) == (-5.0, 10.0)


def test_after_the_first_day_its_alerts_and_peaks_do_not_count() -> None:
    later = evaluate(TRUTH, ALERTS).after_first_day
    assert (later.days, later.planted, later.detected) == (3.0, 3, 2)
    assert later.recall == pytest.approx(2 / 3)
    assert later.recall_before_peak == pytest.approx(1 / 3)
    assert (later.alerts, later.named, later.precision) == (8, 3, 0.375)
    assert (later.median_lead_h, later.median_lead_share) == (2.5, 0.125)
    assert later.alerts_per_detected_trend == 1.5
    assert later.alerts_per_day == pytest.approx(8 / 3)
    assert later.false_alerts["fizzle"] == 0


def test_an_alert_of_the_first_day_detects_a_trend_that_peaks_later() -> None:
    slow = planted("slow", "hashtag", ["hashtag:slow"], 10, 40)
    truth = with_trends(slow)
    later = evaluate(truth, [alert(20, "hashtag:slow")]).after_first_day
    assert (later.recall, later.median_lead_h, later.alerts, later.precision) == (
        1.0,
        20.0,
        0,
        None,
    )


def with_trends(*trends: Planted) -> Truth:
    return replace(TRUTH, trends=trends)


def test_an_alert_at_the_very_peak_is_before_it() -> None:
    assert evaluate(TRUTH, [alert(50, "sound:s1")]).whole.detected_before_peak == 1


def test_an_alert_before_the_first_planted_reel_is_false() -> None:
    whole = evaluate(TRUTH, [alert(29, "sound:s1")]).whole
    assert (whole.recall, whole.precision, whole.false_alerts["background"]) == (0.0, 0.0, 1)


def test_an_alert_on_two_planted_trends_detects_both_and_is_counted_as_merged() -> None:
    whole = evaluate(TRUTH, [alert(45, "sound:s1", "phrase:gondola muffin")]).whole
    assert (whole.detected, whole.alerts, whole.merged, whole.precision) == (2, 1, 1, 1.0)


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("gondola muffin", True),
        ("the gondola muffin again", True),
        ("gondola muffins", False),
        ("muffin gondola", False),
        ("gondola", False),
    ],
)
def test_a_phrase_is_named_by_one_that_holds_it_word_by_word(phrase: str, named: bool) -> None:
    assert evaluate(TRUTH, [alert(45, f"phrase:{phrase}")]).whole.named == named


def test_kinds_are_not_mixed_up() -> None:
    assert evaluate(TRUTH, [alert(45, "sound:catdrop")]).whole.named == 0


def test_without_alerts_there_is_nothing_to_divide_by() -> None:
    report = evaluate(TRUTH, [])
    assert (report.whole.recall, report.whole.precision) == (0.0, None)
    assert (report.whole.median_lead_h, report.whole.alerts_per_detected_trend) == (None, None)
    assert report.missed == ("early", "both", "said", "missed")
    assert evaluate(with_trends(), []).whole.recall is None
    assert report.lines()


def test_the_order_of_alerts_does_not_matter() -> None:
    assert evaluate(TRUTH, ALERTS) == evaluate(TRUTH, ALERTS[::-1])


def test_the_report_reads_as_text_and_as_json() -> None:
    report = evaluate(TRUTH, ALERTS)
    assert json.loads(json.dumps(report.as_dict()))["whole"]["precision"] == 0.4
    text = {line[:30].strip(): line[30:].split() for line in report.lines()}
    assert text["recall"] == ["0.75", "0.67"]
    assert text["precision"] == ["0.40", "0.38"]
    assert text["lead, median"] == ["5.0", "h", "2.5", "h"]
    assert text["phrase: before peak / recall"] == ["0.00", "/", "1.00"] * 2
    assert report.missed == ("missed",)


# files


def revision(trend_id: str, number: int, stage: str, hours: float, tag: str) -> dict[str, Any]:
    return {
        "trend_id": trend_id,
        "revision": number,
        "kind": "hashtag",
        "stage": stage,
        "scopes": ["global"],
        "event_time": at(hours).isoformat(),
        "started_at": at(0).isoformat(),
        "name": tag,
        "summary": "",
        "category": None,
        "reels": 30,
        "authors": 28,
        "expected": 2.0,
        "growth": 15.0,
        "velocity_per_h": 6.0,
        "acceleration_per_h2": 0.5,
        "score": 0.9,
        "q_value": 0.01,
        "members": [{"kind": "hashtag", "id": tag, "label": f"#{tag}", "weight": 1.0, "reels": 30}],
        "examples": [],
        "series": [],
        "forecast": [],
        "why": "",
    }


def write_trends(path: Path, *revisions: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(x) + "\n" for x in revisions))
    return path


@pytest.fixture
def truth_file(tmp_path: Path) -> Path:
    path = tmp_path / "truth.json"
    path.write_bytes(msgspec.json.encode(TRUTH))
    return path


def test_the_alert_of_a_trend_is_its_first_emerging_revision_or_else_its_first(
    tmp_path: Path,
) -> None:
    trends = write_trends(
        tmp_path / "t.jsonl",
        revision("b", 3, "emerging", 9, "later"),
        revision("a", 1, "peaking", 5, "x"),
        revision("a", 2, "fading", 6, "x"),
        revision("b", 1, "evergreen", 2, "old"),
        revision("b", 2, "emerging", 4, "new"),
        revision("b", 2, "emerging", 4, "new"),
    )
    assert [(x.trend_id, x.event_time, x.members) for x in read_alerts(trends)] == [
        ("b", at(4), (member("hashtag:new"),)),
        ("a", at(5), (member("hashtag:x"),)),
    ]


def test_files_are_marked(tmp_path: Path, truth_file: Path) -> None:
    trends = write_trends(
        tmp_path / "t.jsonl",
        revision("a", 1, "emerging", 40, "catdrop"),
        revision("b", 1, "emerging", 90, "c"),
    )
    whole = evaluate_files(truth_file, trends).whole
    assert (whole.recall, whole.precision, whole.median_lead_h) == (0.25, 0.5, 10.0)


def test_the_stages_of_a_file_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_bytes(msgspec.json.encode(with_trends(staged("a", 4, 8))))
    revisions = [("emerging", 2), ("peaking", 4), ("fading", 8)]
    trends = write_trends(
        tmp_path / "t.jsonl",
        *(revision("x", n, stage, h, "a") for n, (stage, h) in enumerate(revisions, 1)),
    )
    assert evaluate_files(path, trends).stage_f1 == 1.0


def test_an_empty_file_of_trends_is_one_without_alerts(tmp_path: Path, truth_file: Path) -> None:
    trends = write_trends(tmp_path / "t.jsonl")
    assert evaluate_files(truth_file, trends).whole.alerts == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "truncated"),
        ('{"reel_id": "r1"}', "unknown field `reel_id`"),
        ("\udcff", "invalid"),
    ],
)
def test_a_line_that_is_no_trend_is_named_with_its_number(
    tmp_path: Path, truth_file: Path, line: str, reason: str
) -> None:
    trends = tmp_path / "t.jsonl"
    good = json.dumps(revision("a", 1, "emerging", 40, "catdrop"))
    trends.write_text(f"{good}\n{line}\n", errors="surrogateescape")
    with pytest.raises(EvaluationError, match=re.escape(f"{trends}: line 2: ") + f".*{reason}"):
        evaluate_files(truth_file, trends)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', "not json", "\udcff"])
def test_a_file_that_is_no_answer_key_is_named(tmp_path: Path, text: str) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text(text, errors="surrogateescape")
    with pytest.raises(EvaluationError, match=re.escape(f"{truth}: not an answer key: ")):
        evaluate_files(truth, write_trends(tmp_path / "t.jsonl"))


def test_an_answer_key_of_another_version_is_refused(tmp_path: Path) -> None:
    truth = tmp_path / "truth.json"
    truth.write_bytes(msgspec.json.encode(TRUTH).replace(b'"version":1', b'"version":2'))
    with pytest.raises(EvaluationError, match="answer key of version 2, expected 1"):
        evaluate_files(truth, write_trends(tmp_path / "t.jsonl"))


def test_a_file_that_is_not_there_says_so(tmp_path: Path, truth_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        evaluate_files(truth_file, tmp_path / "none.jsonl")


def test_crews_are_told_by_size_and_count_once_whatever_else_an_alert_names() -> None:
    few = replace(distraction("spam-1", "sound:few"), authors=5)
    quiet = replace(distraction("spam-2", "sound:quiet"), authors=1)
    truth = replace(TRUTH, spam=(*TRUTH.spam, few, quiet))
    alerts = [
        alert(40, "hashtag:buy", "hashtag:early"),
        alert(41, "phrase:go and buy it now please"),
        alert(42, "sound:few"),
    ]
    assert crew_figures(truth, alerts) == {
        "up to 5": CrewFigures(crews=2, alerted=1),
        "more": CrewFigures(crews=1, alerted=1),
    }
    assert crew_figures(truth, [])["more"] == CrewFigures(crews=1, alerted=0)
