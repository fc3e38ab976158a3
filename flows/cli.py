"""The command `groundswell`. Each command imports what it needs when it is called."""

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import Abort, TyperException

from flows import dotenv
from flows.errors import UserError, in_words
from flows.plain import plain

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="groundswell",
    help="Says which sounds, hashtags and phrases of short videos are taking off.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def groundswell(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Says which sounds, hashtags and phrases of short videos are taking off."""
    if version:
        from importlib.metadata import version as installed

        print(f"groundswell {installed('groundswell')}")
        raise typer.Exit


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=1, max=400, help="Days to simulate.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other trends.")] = 0,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where its files go; what is there is replaced.")
    ] = Path("groundswell-demo"),
    serve: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve",
            help="Show the trends as a page until Ctrl-C; if neither is given, in a terminal only.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Simulate some days of reels, find their trends and compare with what was planted.

    In a terminal it ends by serving the radar, a page that shows them.
    """
    from flows.demo import demo as run

    serves = sys.stdin.isatty() and sys.stdout.isatty() if serve is None else serve
    return run(directory, days=days, seed=seed, console=_console(), serves=serves)


@app.command()
def replay(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Reels as .jsonl, .jsonl.gz or .jsonl.zst, a folder of such files, or - for "
            "standard input.",
        ),
    ],
    to: Annotated[
        Path | None, typer.Option(help="Trends as JSON lines; the file is replaced.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Trends as a SQLite store; what is in it is replaced.")
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="Refused lines as JSON lines; the file is replaced.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder that keeps where the run is: the same command goes on after a stop."
        ),
    ] = None,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Go on in the place of a run that holds --state and hangs; it can write no more.",
        ),
    ] = False,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Lines read at once; changes no result."),
    ] = None,
    services: Annotated[
        bool,
        typer.Option(
            "--services",
            help="Trends also go to the database and the Redis of the settings; what is there "
            "stays.",
        ),
    ] = False,
    alerts: Annotated[
        bool,
        typer.Option("--alerts", help="People are told of trends, by the rules in alert_rules."),
    ] = False,
) -> int:
    """Find the trends in files of reels, from their first line to their last."""
    from flows.replay import Request
    from flows.replay import replay as run

    if take_over and state is None:
        raise UserError("--take-over: expected the --state to take over")
    request = Request(
        (*files,), to, store, rejects, state, take_over, processes, batch_size, services, alerts
    )
    return run(request, _console())


@app.command()
def run(
    state: Annotated[
        Path,
        typer.Option(
            help="Folder that keeps where the run is: the same command goes on after a stop."
        ),
    ],
    store: Annotated[
        Path | None,
        typer.Option(help="Trends as a SQLite store too; without it there is one in --state."),
    ] = None,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Go on in the place of a run that holds --state and hangs; it can write no more.",
        ),
    ] = False,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Worker processes.")] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Messages read at once; changes no result."),
    ] = None,
    to_end: Annotated[
        bool,
        typer.Option(
            "--to-end",
            help="End where the topic ends when the run begins, and decide all of it, as a replay.",
        ),
    ] = False,
    log_format: Annotated[
        str | None,
        typer.Option(help="text, or json: one object a line on standard error."),
    ] = None,
    extract: Annotated[
        bool,
        typer.Option(
            "--extract",
            help="What is in the media of the reels is extracted first, by a process beside it.",
        ),
    ] = False,
) -> int:
    """Find the trends in a Kafka topic of reels for as long as they come, and tell them to Kafka.

    The settings beginning with kafka_ name brokers and topics. SIGTERM and Ctrl-C end it in good
    order.
    """
    from flows.run import Running
    from flows.run import run as go

    request = Running(state, store, take_over, processes, batch_size, to_end, log_format, extract)
    return go(request, _console())


dlq = typer.Typer(help="Look at messages that were refused, or send them again.")
app.add_typer(dlq, name="dlq")


@dlq.command("list")
def dlq_list(
    limit: Annotated[int, typer.Option(min=1, help="Most that are shown.")] = 100,
    error: Annotated[str | None, typer.Option(help="Only those of this class.")] = None,
) -> int:
    """Print the oldest dead letters that were not sent again, one JSON object a line."""
    from flows.dlq import show

    return show(limit, error)


@dlq.command("replay")
def dlq_replay(
    error: Annotated[
        str | None, typer.Option(help="Only those of this class; the others are passed over.")
    ] = None,
) -> int:
    """Send dead letters to the topics they came from, each once."""
    from flows.dlq import replay as again

    return again(error)


alerting = typer.Typer(help="Try the rules by which people are told of trends.")
app.add_typer(alerting, name="alerts")


@alerting.command("test")
def alerts_test(
    rules: Annotated[Path, typer.Argument(metavar="RULES", help="The rules file, TOML.")],
    store: Annotated[Path, typer.Option(help="The store that a run wrote.")] = Path("trends.db"),
    limit: Annotated[int, typer.Option(min=1, help="Messages of a rule that are shown.")] = 50,
) -> int:
    """Show what the rules would have sent of the trends in a store, and when; nothing is sent."""
    from flows.trial import trial

    return trial(rules, store, limit, _console())


@app.command()
def simulate(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Gets reels.jsonl and truth.json.")
    ],
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another stream.")] = 0,
    days: Annotated[int, typer.Option(help="Days of event time.")] = 12,
    reels_per_day: Annotated[int, typer.Option(help="Mean number of reels a day.")] = 24_000,
    trends: Annotated[int | None, typer.Option(help="Planted trends; by size if absent.")] = None,
    fizzles: Annotated[
        int | None, typer.Option(help="Cascades that end small; by size if absent.")
    ] = None,
    spam: Annotated[int | None, typer.Option(help="Spam crews; by size if absent.")] = None,
    pairs: Annotated[
        int, typer.Option(help="Known sounds and tags newly used together, each of them flat.")
    ] = 0,
    varied: Annotated[
        bool,
        typer.Option(
            "--varied",
            help="More kinds of everything: slower and linear trends, one language, several "
            "spellings, slow cascades and spam, tags of a day of the month.",
        ),
    ] = False,
    fingerprints: Annotated[
        bool,
        typer.Option(
            "--fingerprints",
            help="Sounds are known by what is heard alone: a fingerprint in each reel, and no id.",
        ),
    ] = False,
    malformed: Annotated[float, typer.Option(help="Share of lines that are not reels.")] = 0.002,
    late: Annotated[float, typer.Option(help="Share of reels that arrive late.")] = 0.03,
    duplicates: Annotated[float, typer.Option(help="Share of reels that come twice.")] = 0.03,
) -> int:
    """Write a simulated stream of reels, and what was planted in it."""
    from flows.simulate import simulate_to
    from flows.terminal import counter
    from trend.simulator import SimulatorSettings

    try:
        settings = SimulatorSettings(
            seed=seed,
            days=days,
            reels_per_day=reels_per_day,
            trends=trends,
            fizzles=fizzles,
            spam=spam,
            pairs=pairs,
            varied=varied,
            fingerprints=fingerprints,
            malformed=malformed,
            late=late,
            duplicates=duplicates,
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    summary = simulate_to(directory, settings, counter(_console(), "lines written"))
    print(f"reels: {summary.reels_file} ({summary.reels:,} reels in {summary.lines:,} lines)")
    print(f"truth: {summary.truth_file} ({summary.trends:,} trends)")
    return 0


@app.command()
def evaluate(
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="truth.json of a simulation.")],
    trends: Annotated[Path, typer.Argument(metavar="TRENDS", help="trends.jsonl of a replay.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead.")] = False,
) -> int:
    """Compare the trends that were found with those that were planted."""
    import json

    from flows.evaluate import EvaluationError, evaluate_files

    try:
        report = evaluate_files(truth, trends)
    except EvaluationError as error:
        raise UserError(str(error)) from None
    print(json.dumps(report.as_dict(), indent=2) if as_json else "\n".join(report.lines()))
    return 0


@app.command()
def graph(
    trend_id: Annotated[
        str, typer.Argument(metavar="TREND_ID", help="Of a trend in the store, or how it begins.")
    ],
    store: Annotated[Path, typer.Option(help="The store that a replay wrote.")] = Path("trends.db"),
    to: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file to write: .svg is a picture, .graphml and .json (node-link) are for "
            "other programs. May be given several times; a file that is there is replaced."
        ),
    ] = None,
    depth: Annotated[
        int, typer.Option(min=0, max=3, help="Steps to trends that share a member or a reel.")
    ] = 1,
    limit: Annotated[int, typer.Option(min=0, max=40, help="Other trends at most.")] = 12,
) -> int:
    """Show what is around a trend: its members, which come together, and trends that share some."""
    from flows.graph import graph as run

    return run(trend_id, store, to or [], depth, limit, _console())


sound = typer.Typer(help="Recognise sounds, however they were changed.")
app.add_typer(sound, name="sound")
_Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Audio or video.")]
_Catalog = Annotated[Path, typer.Option(help="The file that keeps the known sounds.")]


@sound.command("add")
def sound_add(
    files: _Files,
    catalog: _Catalog,
    title: Annotated[str | None, typer.Option(help="What the sound is called.")] = None,
) -> int:
    """Make sounds known, unless they are, and print one JSON object a file."""
    from flows.sound import add

    return add(files, catalog, title)


@sound.command("identify")
def sound_identify(files: _Files, catalog: _Catalog) -> int:
    """Tell which known sound each file is, and how it was changed: one JSON object a file."""
    from flows.sound import identify

    return identify(files, catalog)


models = typer.Typer(help="The models that features of reels are made with.")
app.add_typer(models, name="models")


@models.command("list")
def models_list(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead.")] = False,
) -> int:
    """Show which models there are, which of them are here, and what each is for."""
    from flows.models import listed

    return listed(as_json)


@models.command("pull")
def models_pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="As `models list` shows.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="A folder that has its files, instead of the hub.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Take what the hub has now, not what was recorded.")
    ] = False,
) -> int:
    """Fetch models and record their digests; a fetch that was cut off is gone on with."""
    from flows.models import pulled

    return pulled(names, source, update, _console())


@models.command("export")
def models_export(
    architecture: Annotated[
        str, typer.Argument(metavar="ARCHITECTURE", help="As open_clip calls it: ViT-B-32.")
    ],
    weights: Annotated[
        str | None,
        typer.Option(help="A name that open_clip knows, or a file. Without: random ones."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What it is called here.")] = None,
    half: Annotated[bool, typer.Option("--half", help="In float16, for a GPU.")] = False,
) -> int:
    """Make ONNX models of both towers of an open_clip model; needs groundswell[export]."""
    from flows.models import exported

    return exported(architecture, weights, name, half)


@models.command("verify")
def models_verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Without: all that are here.")
    ] = None,
) -> int:
    """Read every byte of models and compare it with the digests that were recorded."""
    from flows.models import verified

    return verified(names or [])


@app.command()
def extract(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Media, reels as .jsonl with media_url, folders of both, or - for reels on "
            "standard input. Without any: the Kafka topic of reels, for as long as they come.",
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            help="The reels with what was found, as JSON lines; the same command goes on with it "
            "after a stop. Without it: standard output."
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(
            help="What is no reel, and reels whose media gave nothing, each with its reason."
        ),
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(help="The file that keeps the known sounds; it learns new ones."),
    ] = None,
    at: Annotated[
        str, typer.Option(help="Time of media files that do not say when they were made.")
    ] = "2005-01-01T00:00:00Z",
    to_end: Annotated[
        bool, typer.Option("--to-end", help="End where the topic ends when it begins.")
    ] = False,
) -> int:
    """Add to reels what is in their media: how they sound and look, what is said and written.

    The settings beginning with extract_ and fetch_ say how much and from where.
    """
    from flows.extraction.command import Request
    from flows.extraction.command import extract as run

    request = Request((*(paths or ()),), to, rejects, catalog, at, to_end)
    return run(request, _console(stderr=paths is not None and to is None))


@app.command()
def serve(
    store: Annotated[
        Path | None,
        typer.Option(
            help="The store that a replay or a run writes. Without it: the database of the "
            "settings, or trends.db.",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of serve_port; 0: a free one.")
    ] = None,
) -> int:
    """Show the trends of a store as a page and as a JSON API, on this machine alone.

    The settings beginning with serve_ say how. SIGTERM and Ctrl-C end it in good order.
    """
    from flows.serve import serve as run

    return run(store, port, _console())


@app.command()
def report(
    to: Annotated[Path, typer.Argument(metavar="FILE.html", help="Is replaced where it is.")],
    store: Annotated[Path, typer.Option(help="The store that a replay wrote.")] = Path("trends.db"),
    limit: Annotated[int, typer.Option(min=1, max=2000, help="Trends at most.")] = 200,
) -> int:
    """Write the trends of a store as one page that needs nothing else, to send to someone."""
    from flows.report import report as run

    return run(to, store, limit)


@app.command()
def name(
    store: Annotated[
        Path | None,
        typer.Option(
            help="The store that a replay or a run writes. Without it: the database of the "
            "settings, or trends.db.",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Name what is there now, and end.")] = False,
) -> int:
    """Have a language model name the trends of a store; the radar shows its names.

    The settings beginning with name_ say which. Without one trends are named by their members.
    """
    from flows.name import name as run

    return run(store, once)


@app.command()
def migrate() -> int:
    """Make the tables in the database of the settings, or bring them to this version."""
    from flows.migrate import migrate as run

    return run()


@app.command()
def doctor(
    state: Annotated[
        Path | None, typer.Option(help="The folder that a run keeps its state in.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead.")] = False,
) -> int:
    """Look at all that a run needs: services, topics, permissions, clocks; say how to mend it."""
    from flows.doctor.command import doctor as examine

    return examine(state, as_json, _console())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 2 for what the user can mend, said in one line."""
    gc.set_threshold(100_000, 20, 100)  # imports make no cycles; looking for them takes its time
    given = [*(sys.argv[1:] if arguments is None else arguments)]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name in a script the terminal does not know
    try:
        dotenv.read(Path(".env"))
        code = app(given or ["--help"], prog_name="groundswell", standalone_mode=False)
    except TyperException as error:
        return _refused(error.format_message())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit fails again
        return 1
    except (OSError, UserError) as error:
        return _refused(in_words(error))
    except (Abort, KeyboardInterrupt):
        return 130
    return int(code or 0)


def _refused(message: str) -> int:
    print(f"groundswell: {plain(message)}", file=sys.stderr)
    return 2


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr)


if __name__ == "__main__":
    sys.exit(main())
