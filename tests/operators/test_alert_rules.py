"""A rules file is taken as it is meant, or refused by rule, field, value and what was expected."""

import re
from pathlib import Path

import pytest

from operators.alerts import rules
from operators.alerts.matching import Matching
from operators.alerts.rules import Receiver, Rule, RulesError, address, parse
from operators.alerts.words import Watch
from schemas.trends import Member, Trend
from tests.operators.test_sinks import trend

ROOT = Path(__file__).parents[2]
SECRET = "https://hooks.example/T0/B0/verysecrettoken"

RECEIVERS = '[receivers.hook]\nkind = "webhook"\nurl = "http://127.0.0.1:9/x"\n'
RULE = '[[rules]]\nname = "r"\nto = "hook"\n'


def test_the_example_is_a_rules_file_and_the_page_shows_it() -> None:
    example = ROOT / "examples" / "alerts.toml"
    loaded = rules.load(example)
    assert {receiver.kind for receiver in loaded.receivers.values()} == set(rules.FIELDS)
    assert len(loaded.rules) == 4
    page = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    assert "](../examples/alerts.toml)" in page
    for name, default in (*fields(Rule), *fields(Receiver)):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        assert default is None or f"| {default} |" in row, row


def fields(kind: type) -> list[tuple[str, str | None]]:
    """Names and defaults as the page writes them; None: there is none, or it is empty."""
    import msgspec

    found = []
    for field in msgspec.structs.fields(kind):
        said: str | None = None
        if field.default is not msgspec.NODEFAULT and field.default not in ("", ()):
            value = field.default
            said = ", ".join(value) if isinstance(value, tuple) else f"{value}"
            said = said.lower() if isinstance(value, bool) else said.removesuffix(".0")
        found.append((field.name, said))
    return found


def refused(text: str, message: str) -> None:
    with pytest.raises(RulesError) as error:
        parse(text.encode(), "f")
    said = str(error.value)
    assert said.startswith(f"f: {message}")
    assert "\n" not in said
    assert "verysecrettoken" not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected [receivers.NAME], 1 to 16 of them"),
        ("x = ", "expected TOML (Invalid value (at end of document))"),
        (RECEIVERS, "expected [[rules]], 1 to 100 of them"),
        ("rule = 1\n" + RECEIVERS, "'rule': expected link, [receivers.NAME] and [[rules]] only"),
        (
            'link = "javascript:{trend_id}"\n' + RECEIVERS + RULE,
            "link = 'javascript:{trend_id}': expected an http or https URL with {trend_id} in it",
        ),
        (RECEIVERS + '[[rules]]\nto = "hook"\n', "rule 1: name: is missing, expected 1 to 100"),
        (RECEIVERS + RULE + RULE, "rule 'r': name = 'r': expected a name of its own"),
        (
            RECEIVERS + RULE.replace("hook", "nobody"),
            "rule 'r': to = 'nobody': expected one of hook",
        ),
    ],
)
def test_a_file_that_cannot_work_is_refused_in_one_line(text: str, message: str) -> None:
    refused(text, message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("min_author = 3", "min_author: expected one of name, to, kinds,"),
        ('min_authors = "many"', "min_authors = 'many': expected a whole number from 0 to 1,000,"),
        ("min_score = 1.5", "min_score = 1.5: expected a number from 0 to 1"),
        (
            'stages = ["rising"]',
            "stages = ['rising']: expected a list of emerging, peaking, fading",
        ),
        ("stages = []", "stages = []: expected a list of emerging"),
        ('scopes = ["BR"]', 'scopes = [\'BR\']: expected a list of "global", "region:…"'),
        ('quiet = "22-7"', "quiet = '22-7': expected hours such as \"22:00-07:00\""),
        ('quiet = "07:00-07:00"', "quiet = '07:00-07:00': expected two different times"),
        ('time_zone = "Berlin"', "time_zone = 'Berlin': expected a time zone that this system"),
        ('time_zone = "../../etc/passwd"', "time_zone = '../../etc/passwd': expected a time zone"),
    ],
)
def test_a_field_that_cannot_work_is_named_with_its_rule(line: str, message: str) -> None:
    refused(RECEIVERS + RULE + line, f"rule 'r': {message}")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('kind = "email"', "kind = 'email': expected webhook, alertmanager, slack or telegram"),
        ('kind = "slack"', "url_env: is missing, kind = 'slack' needs it"),
        (f'kind = "slack"\nurl = "{SECRET}"', "url: expected none where kind = 'slack'"),
        (
            f'kind = "slack"\nurl_env = "{SECRET}"',
            "url_env = (hidden): expected the name of an environment variable",
        ),
        ('kind = "webhook"', "expected either url or url_env"),
        (
            f'kind = "webhook"\nurl = "{SECRET}?verysecrettoken"',
            "url = (hidden): expected an http or https URL without user and query",
        ),
        ('kind = "webhook"\nurl = "file:///etc/passwd"', "url = (hidden): expected an http or"),
        (
            'kind = "telegram"\ntoken_env = "T"\nchat = "me you"',
            'chat = \'me you\': expected a text: "-100123" or "@name"',
        ),
        (
            'kind = "telegram"\ntoken_env = "T"\nchat = "1"\nsecret_env = "S"',
            "secret_env: expected none where kind = 'telegram'",
        ),
        (
            'kind = "webhook"\nurl = "http://h"\ntimeout_seconds = 0',
            "timeout_seconds = 0: expected",
        ),
    ],
)
def test_a_receiver_that_cannot_work_is_named(lines: str, message: str) -> None:
    refused(f"[receivers.x]\n{lines}\n{RULE}", f"receiver 'x': {message}")


@pytest.mark.parametrize(
    ("receiver", "environment", "message"),
    [
        (Receiver(kind="slack", url_env="HOOK"), {}, "url_env = HOOK: is not in the environment"),
        (
            Receiver(kind="slack", url_env="HOOK"),
            {"HOOK": "ftp://verysecrettoken"},
            "url_env = HOOK: expected an http or https URL in it",
        ),
        (
            Receiver(kind="telegram", token_env="BOT", chat="1"),
            {"BOT": "verysecrettoken/../.."},
            "token_env = BOT: expected the token of a bot in it",
        ),
        (
            Receiver(kind="webhook", url="http://h/", secret_env="KEY"),
            {"KEY": "whsec_verysecrettoken!"},
            "secret_env: expected whsec_ and base64, or a text, of at least 16 bytes in it",
        ),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_and_not_shown(
    receiver: Receiver, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(RulesError, match=re.escape(f"receiver 'x': {message}")) as error:
        address("x", receiver, environment)
    assert "verysecrettoken" not in str(error.value)


def test_addresses_are_put_together_and_have_no_repr() -> None:
    bot = address("x", Receiver(kind="telegram", token_env="T", chat="1"), {"T": "12:ab\n"})
    assert bot.url == "https://api.telegram.org/bot12:ab/sendMessage"
    assert "12:ab" not in repr(bot)
    manager = address("x", Receiver(kind="alertmanager", url="http://am:9093/"), {})
    assert manager.url == "http://am:9093/api/v2/alerts"
    signed = Receiver(kind="webhook", url="http://h/", secret_env="KEY")
    assert address("x", signed, {"KEY": "whsec_" + "A" * 24}).key == b"\0" * 18
    assert address("x", signed, {"KEY": "a key of sixteen"}).key == b"a key of sixteen"


def of(name: str = "#cat_drop", **changes: object) -> Trend:
    from msgspec.structs import replace

    member = Member(kind="hashtag", id="café", label="#Café", weight=1.0, reels=10)
    return replace(trend("a", score=0.7), name=name, members=(member,), **changes)


@pytest.mark.parametrize(
    ("asked", "tells"),
    [
        ({}, True),
        ({"kinds": ("hashtag",)}, True),
        ({"kinds": ("sound", "challenge")}, False),
        ({"stages": ("peaking",)}, False),
        ({"scopes": ("region:BR", "global")}, True),
        ({"scopes": ("region:BR",)}, False),
        ({"min_score": 0.7}, True),
        ({"min_score": 0.71}, False),
        ({"min_authors": 9}, True),
        ({"min_authors": 10}, False),
        ({"words": ("CAFE\u0301",)}, True),  # of a member, in another form
        ({"words": ("drop",)}, True),
        ({"words": ("dro",)}, False),
        ({"words": ("dog",), "min_score": 0.1}, False),
    ],
)
def test_a_rule_tells_what_it_asks_for_and_nothing_else(
    asked: dict[str, object], tells: bool
) -> None:
    assert Matching(Rule(name="r", to="x", **asked)).begins(of()) is tells  # type: ignore[arg-type]


def test_a_trend_is_over_when_it_fades_unless_that_is_asked_for() -> None:
    rule = Matching(Rule(name="r", to="x"))
    stages = ("emerging", "peaking", "fading", "evergreen")
    assert [rule.ends(of(stage=stage)) for stage in stages] == [False, False, True, True]
    assert not Matching(Rule(name="r", to="x", resolve=False)).ends(of(stage="fading"))
    assert not Matching(Rule(name="r", to="x", stages=("fading",))).ends(of(stage="fading"))


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("straße", "STRASSE 7", True),
        ("ﬁsh", "big FISH!", True),
        ("cat", "cats", False),
        ("cat", "bobcat", False),
        ("cat*", "#CatDrop", True),
        ("*cat", "bobcat", True),
        ("*cat", "bobcats", False),
        ("cat drop", "CAT\u00a0 drop", True),
        ("#cat", "#cat", True),
        ("#cat", "cat", False),
        ("и", "кино", False),
        ("кино", "#КИНО_2026", True),
        ("猫", "子猫動画", True),  # no spaces between words
        ("แมว", "รักแมวมาก", True),
        ("हिन्द", "हिन्दी", False),  # a vowel sign belongs to the word
        ("a", "ba a", True),  # the second place is the right one
        ("ca\u200dt", "cat", True),
        ("*", "anything", False),
    ],
)
def test_words_are_whole_in_any_script(word: str, text: str, found: bool) -> None:
    assert Watch([word]).finds([text]) is found
