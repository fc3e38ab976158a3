"""The detection flow: reels in, trends out. Wiring only.

    source -> decode -> dedupe -> identify -> explode -> count, detect -> synthesise -> sinks
                               ->          ->         -> cooccur       ->

Each step is a file of this name in `operators/`. What flows between them is in `operators.blocks`:
whole polls as columns. Keys are partitions up to explode, shards from there, and one for the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream
from bytewax.outputs import Sink

from flows.settings import DAY_S, Settings
from operators.balance import shard_keys
from operators.blocks import (
    GRAPH,
    ONE,
    SHARDS,
    Decoded,
    Fresh,
    Poll,
    Reject,
    ShardRows,
)
from operators.catalogue import reel_ids
from operators.cooccur import Cooccurring
from operators.count import Counting
from operators.decode import decode
from operators.dedupe import Dedupe, DedupeLogic, Deduping, EventTime
from operators.detect import ShardReport
from operators.durable.durable import Book, Durable, Place, builder
from operators.exchange import Exchange
from operators.explode import Explode
from operators.feedback import Word
from operators.heard import Heard, heard
from operators.identify import HEARD, IDENTIFYING, Identifying, SoundSettings, identify
from operators.links import Linked
from operators.listening import (
    LISTENING,
    Landmarking,
    Listened,
    Listening,
    Queries,
    Told,
    part_key,
)
from operators.routing import PLACES, keys_of
from operators.sources.board import Board
from operators.synthesise import SynthesiseSettings, Synthesising, counted
from operators.synthesise import Told as Reported
from operators.together import Together
from operators.waiting import Asked, F
from schemas.trends import Trend
from trend.budget import ShardSettings, for_counts
from trend.graph.challenges import ChallengeSettings
from trend.synthesis import SynthesisSettings


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the reels come from and where everything goes."""

    source: Source[Poll]
    partitions: Sequence[str]
    """All partitions of the source, known before it starts."""
    trends: Sequence[Sink[tuple[str, Trend]]] = ()
    rejects: Sequence[Sink[tuple[str, Reject]]] = ()
    board: Path | None = None
    stores: Sequence[Sink[tuple[str, Linked]]] = ()
    """What takes the links of the trends' members too."""
    exchange: Exchange | None = None
    """Through which large items go to other processes."""
    keys: Mapping[str, str] | None = None
    """Key of each partition; None: as `operators.routing.keys_of` has it."""
    alerts: Sink[tuple[str, Trend]] | None = None
    """The outbox of alerts."""
    words: Callable[[], Sequence[Word]] = tuple
    """Reads what people said of trends."""


def build(settings: Settings, ends: Ends, place: Place | None = None) -> Dataflow:
    """Return the dataflow that finds the trends in `ends.source`.

    Its steps write their states to `place`; None: they keep nothing.
    """
    board = Board.open(ends.board) if ends.board else None
    flow = Dataflow("detect")
    polls = op.input("source", flow, ends.source)
    decoded = op.map("decode", polls, decode)

    rejects = op.flat_map("rejects", decoded, _rejects)
    for number, rejects_sink in enumerate(ends.rejects):
        op.output(f"rejects-{number}", rejects, rejects_sink)

    keys = ends.keys or keys_of(ends.partitions)
    by_partition = op.key_on("partition", decoded, lambda item: keys[item.partition])
    fresh = op.stateful_batch("dedupe", by_partition, _dedupe(settings, board, place))
    known = op.map_value("name", fresh, identify)
    sent = partial(_sent, ends.exchange)
    partitions = [*ends.partitions]
    if settings.sounds_mb:
        known = _identified(known, settings, ends.partitions, place, sent)
        partitions.append(HEARD)
    exploded = op.map("explode", known, _explode(settings))
    # Keys must not change when partitions are added to a topic.
    shards = shard_keys(len(ends.partitions) if ends.keys is None else PLACES, settings.graph)
    rows: KeyedStream[ShardRows] = op.flat_map(
        "shards", exploded, lambda item: [sent(shards[rows.shard], rows) for rows in item[0]]
    )
    reports = op.stateful_batch("count", rows, _count(settings, partitions, place))
    if settings.graph:
        together: KeyedStream[Together] = op.flat_map(
            "together", exploded, lambda item: [sent(GRAPH, item[1])] if item[1] else []
        )
        communities = op.stateful_batch("cooccur", together, _cooccur(settings, partitions, place))
        reports = op.merge("reports", reports, communities)
    ids: KeyedStream[Reported] = op.flat_map(
        "catalogue", known, lambda item: [sent(ONE, ids) for ids in reel_ids(item[1])]
    )
    told: KeyedStream[Reported] = op.map("report", reports, lambda item: sent(ONE, item[1]))
    everything: KeyedStream[Reported] = op.merge("merge", told, ids)
    linked = op.stateful_batch(
        "synthesise", everything, _synthesise(settings, ends, partitions, place)
    )
    for number, store in enumerate(ends.stores):
        op.output(f"store-{number}", linked, store)
    trends = op.map_value("trends", linked, lambda item: counted(item.trend))
    for number, trends_sink in enumerate(ends.trends):
        op.output(f"trends-{number}", trends, trends_sink)
    if ends.alerts is not None:
        op.output("alerts", trends, ends.alerts)
    return flow


Send = Callable[[str, Any], tuple[str, Any]]


def _identified(
    fresh: KeyedStream[Fresh],
    settings: Settings,
    partitions: Sequence[str],
    place: Place | None,
    sent: Send,
) -> KeyedStream[Fresh]:
    """Have the reels whose sound is heard wait to be identified; all others pass by."""
    parts, memory = range(settings.sounds_parts), settings.sounds_mb << 20
    passing, asked = _parted("sounds", fresh, heard, LISTENING, sent)
    listening: Builds[Asked[Heard], Listened] = builder(
        lambda: Listening(memory // 4, partitions),
        _book(place, "listen"),
        adapt=_known(partitions),
    )
    listened = op.stateful_batch("listen", asked, listening)
    queries: KeyedStream[Queries] = op.flat_map(
        "queries",
        listened,
        lambda item: [sent(part_key(part), item[1].queries(part)) for part in parts],
    )
    landmarking: Builds[Queries, Told] = builder(
        lambda: Landmarking(memory * 3 // 4 // len(parts), len(parts)), _book(place, "landmarks")
    )
    answered = op.stateful_batch("landmarks", queries, landmarking)
    told = op.map("listened", listened, lambda item: sent(IDENTIFYING, item[1].told()))
    answers = op.map("answers", answered, lambda item: sent(IDENTIFYING, item[1]))
    chosen = SoundSettings(len(parts), DAY_S // settings.tick_seconds, settings.sounds_reels)
    identifying: Builds[Told, Fresh] = builder(
        lambda: Identifying(chosen), _book(place, "identify")
    )
    everything = op.merge("all-told", told, answers)
    identified = op.stateful_batch("identify", everything, identifying)
    return op.merge("identified", passing, identified)


def _parted(
    name: str,
    fresh: KeyedStream[Fresh],
    part: Callable[[Fresh], tuple[Fresh, Asked[F]]],
    key: str,
    sent: Send,
) -> tuple[KeyedStream[Fresh], KeyedStream[Asked[F]]]:
    """Return the reels that pass by, and those that wait to be identified, under their key."""
    both = op.map_value(f"{name}-part", fresh, part)
    passing = op.filter_map_value(
        f"{name}-pass", both, lambda two: two[0] if two[0].announce or len(two[0].reels) else None
    )
    asked: KeyedStream[Asked[F]] = op.flat_map(
        f"{name}-ask", both, lambda item: [sent(key, one) for one in item[1][1:] if one.matters]
    )
    return passing, asked


def _sent(exchange: Exchange | None, key: str, value: Any) -> tuple[str, Any]:
    """A value with its key, on its way to the worker that the key goes to."""
    return key, value if exchange is None else exchange.send(key, value)


def _rejects(decoded: Decoded) -> list[tuple[str, Reject]]:
    return [(ONE, reject) for reject in decoded.rejects]


In = TypeVar("In")
Out = TypeVar("Out")
Builds = Callable[[bytes | None], Durable[In, Out]]


def _book(place: Place | None, step: str) -> Book | None:
    return None if place is None else Book(place, step)


def _dedupe(
    settings: Settings, board: Board | None, place: Place | None
) -> Callable[[bytes | None], DedupeLogic]:
    time = EventTime(
        settings.tick_seconds,
        settings.lateness_seconds,
        settings.future_seconds,
        settings.look_ahead,
    )

    return builder(
        lambda: Deduping(Dedupe(time, settings.dedupe_reels)),
        _book(place, "dedupe"),
        partial(DedupeLogic, board),
    )


Exploded = tuple[list[ShardRows], Together | None]


def _explode(settings: Settings) -> Callable[[tuple[str, Fresh]], Exploded]:
    explode = Explode(settings.max_phrases)

    def exploded(item: tuple[str, Fresh]) -> Exploded:
        return explode.both(item[1]) if settings.graph else (explode(item[1]), None)

    return exploded


def _cooccur(
    settings: Settings, partitions: Sequence[str], place: Place | None
) -> Callable[[bytes | None], Durable[Together, ShardReport]]:
    chosen = ChallengeSettings(
        settings.tick_seconds, settings.windows_h, settings.min_authors, settings.min_growth
    )
    return builder(
        lambda: Cooccurring(chosen, partitions), _book(place, "cooccur"), adapt=_known(partitions)
    )


def _count(
    settings: Settings, partitions: Sequence[str], place: Place | None
) -> Callable[[bytes | None], Durable[ShardRows, ShardReport]]:
    shard = shard_settings(settings)
    return builder(
        lambda: Counting(shard, partitions), _book(place, "count"), adapt=_known(partitions)
    )


def shard_settings(settings: Settings) -> ShardSettings:
    """Return what each shard may use."""
    return ShardSettings(
        tick_seconds=settings.tick_seconds,
        windows_h=settings.windows_h,
        min_authors=settings.min_authors,
        min_growth=settings.min_growth,
        memory_bytes=for_counts(settings.memory_mb) * (1 << 20) // SHARDS,
    )


def _synthesise(
    settings: Settings, ends: Ends, partitions: Sequence[str], place: Place | None
) -> Callable[[bytes | None], Durable[Reported, Linked]]:
    chosen = SynthesiseSettings(
        synthesis=SynthesisSettings(
            tick_seconds=settings.tick_seconds,
            windows_h=settings.windows_h,
            fdr=settings.fdr,
            overlap=settings.overlap,
        ),
        catalogue_hours=settings.catalogue_hours,
        catalogue_reels=settings.catalogue_reels,
        max_examples=settings.max_examples,
        graph=settings.graph,
        scopes=settings.scopes,
        min_authors=settings.min_authors,
    )

    def adapt(machine: Synthesising) -> bool:
        knows, hears = machine.know(partitions), machine.hear(ends.words())
        return knows or hears

    return builder(
        lambda: Synthesising(chosen, partitions, ends.words()),
        _book(place, "synthesise"),
        adapt=adapt,  # type: ignore[arg-type]
    )


class _Waiting(Protocol):
    def know(self, partitions: Sequence[str]) -> bool: ...


def _known(partitions: Sequence[str]) -> Callable[[Any], bool]:
    """Have a machine wait for the partitions that there are by now."""

    def adapt(machine: _Waiting) -> bool:
        return machine.know(partitions)

    return adapt
