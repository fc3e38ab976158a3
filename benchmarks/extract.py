"""How fast reels are looked at: `python -m benchmarks.extract [FOLDER]`.

FOLDER holds videos; without one some are made of moving gradients. A full-size image tower of CLIP
ViT-B/32 is run as bare as ONNX Runtime runs it, in batches of every size, and then behind all that
stands before it: frames in memory, and videos on disk through `operators.extraction`. Each is told
in frames a second, beside the bare session's best batch in the same run, and in frames a second of
processor time, which other work on the machine changes less.

The graph is built by `benchmarks.vit` with random weights; `--model FILE` takes another one of the
same shape, such as `groundswell models export ViT-B-32` makes. With `--json FILE` the figures are
written too.
"""

import argparse
import asyncio
import json
import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.vit import vit_b_32
from extractors.audio import Decoder
from extractors.decoding import Limits
from extractors.media import Media
from extractors.models import Card
from extractors.runtime import Session
from extractors.visual import Preparation, Visual
from operators.extraction.pipeline import Bounds, Job, Pipeline
from schemas.reels import Reel

BATCHES = (1, 2, 4, 8, 16, 32)
FRAMES = 8
SUFFIXES = (".mp4", ".webm", ".mov", ".mkv")


def processor() -> float:
    """Seconds of the processor that this process and all its children that have ended took."""
    own, others = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return sum(one.ru_utime + one.ru_stime for one in (own, others))


class Meter:
    """What something took: seconds of the clock and of the processor, for so many frames."""

    def __init__(self) -> None:
        self.frames = self.reels = 0
        self.seconds = self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Adds what the block takes."""
        clock, cpu = time.perf_counter(), processor()
        yield
        self.seconds += time.perf_counter() - clock
        self.cpu += processor() - cpu

    @property
    def rate(self) -> float:
        """Frames a second of the clock."""
        return self.frames / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Frames a second of the processor."""
        return self.frames / max(self.cpu, 1e-9)


def measured(run: Callable[[], int], seconds: float) -> Meter:
    """Run it again and again for so long; it returns how many frames it did."""
    run()
    meter = Meter()
    while meter.seconds < seconds:
        with meter.running():
            meter.frames += run()
    return meter


def bare(model: Path, seconds: float, threads: int) -> dict[int, Meter]:
    """The session that ONNX Runtime makes when nothing is said, by batch."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(model), options, providers=onnxruntime.get_available_providers()
    )
    name = session.get_inputs()[0].name
    rows = np.random.default_rng(0).normal(size=(max(BATCHES), 3, 224, 224)).astype(np.float32)

    def one(size: int) -> Callable[[], int]:
        return lambda: len(session.run(None, {name: rows[:size]})[0])

    return {size: measured(one(size), seconds) for size in BATCHES}


def videos(folder: Path | None, made: Path) -> list[Path]:
    """Videos of a folder, or 12 of ten seconds that are made."""
    if folder is not None:
        return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    import av

    found = []
    across = np.linspace(0, 255, 540)[None, :, None] + np.zeros((960, 1, 3))
    for number in range(12):
        path = made / f"{number}.mp4"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("mpeg4", rate=30)
            stream.width, stream.height, stream.pix_fmt = 540, 960, "yuv420p"
            stream.bit_rate = 2_000_000
            for frame in range(300):
                rows = np.roll(across, 7 * frame * (number + 1), axis=1).astype(np.uint8)
                rows[frame % 900 : frame % 900 + 60, :, number % 3] = 255 - 20 * (frame // 75)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(rows)))
            out.mux(stream.encode(None))
        found.append(path)
    return found


def decoding(paths: Sequence[Path], limits: Limits) -> tuple[Meter, list[Any]]:
    """Videos through one decoder: how fast, and what they hold."""
    meter, found = Meter(), []
    with Decoder(limits) as decoder:
        for path in paths:
            file = os.open(path, os.O_RDONLY)
            before = decoder.seconds()
            with meter.running():
                found.append(decoder.media(file))
            meter.cpu += decoder.seconds() - before
            os.close(file)
            meter.frames += len(found[-1].frames)
            meter.reels += 1
    return meter, found


def reel(number: int) -> Reel:
    """A reel that has nothing but its id."""
    return Reel(reel_id=f"r{number}", published_at=datetime(2026, 1, 5, tzinfo=UTC), author_id="a")


def end_to_end(
    paths: Sequence[Path], turns: int, limits: Limits, visual: Visual, decoders: int
) -> Meter:
    """Videos on disk to embeddings, through all stages of the flow."""

    async def jobs() -> AsyncIterator[Job]:
        for number, path in enumerate([*paths] * turns):
            yield Job(reel(number), path=path)

    async def go() -> Meter:
        meter = Meter()
        bounds = Bounds(decoders=decoders)
        with meter.running():
            async with Pipeline(bounds, limits, [visual]) as pipeline:
                async for done in pipeline.run(jobs()):
                    meter.reels += 1
                    meter.frames += counted.get(str(done.job.path), 0)
                    assert done.reel.embedding is not None or not counted[str(done.job.path)]
        return meter

    counted = {}
    with Decoder(limits) as decoder:
        for path in paths:
            file = os.open(path, os.O_RDONLY)
            counted[str(path)] = len(decoder.media(file).frames)
            os.close(file)
    return asyncio.run(go())


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="videos")
    parser.add_argument("--model", type=Path, help="an image tower of ViT-B/32's shape")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--turns", type=int, default=4, help="times that all videos come")
    parser.add_argument("--threads", type=int, default=0, help="of the model; 0: one a core")
    parser.add_argument("--decoders", type=int, default=2, help="processes that decode")
    parser.add_argument("--side", type=int, default=768, help="longer side of frames, in pixels")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with TemporaryDirectory() as made:
        folder = Path(made)
        model = asked.model or folder / "vit.onnx"
        if asked.model is None:
            vit_b_32(model)
        figures = measure(asked, model, folder)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1))


def measure(asked: argparse.Namespace, model: Path, folder: Path) -> dict[str, dict[str, float]]:
    """Measure everything and print a line each."""
    figures: dict[str, dict[str, float]] = {}
    best = 0.0
    best_cpu = 0.0

    def told(label: str, meter: Meter) -> None:
        figures[label] = {
            "frames_s": round(meter.rate, 2),
            "frames_cpu_s": round(meter.cpu_rate, 2),
            "reels_s": round(meter.reels / meter.seconds, 2),
        }
        share = f"{meter.rate / best:6.0%} {meter.cpu_rate / best_cpu:6.0%}" if best else ""
        reels = f"{meter.reels / meter.seconds:7.2f}" if meter.reels else ""
        print(f"{label:<34} {meter.rate:9.1f} {meter.cpu_rate:9.1f}  {share} {reels}", flush=True)

    print(f"{'':<34} {'frames/s':>9} {'a CPU s':>9}  {'of bare session':>13} {'reels/s':>7}")
    sizes = bare(model, asked.seconds, asked.threads)
    for size, meter in sizes.items():
        told(f"bare session, batch {size}", meter)
    best = max(meter.rate for meter in sizes.values())
    best_cpu = max(meter.cpu_rate for meter in sizes.values())

    def session() -> Session:
        return Session(model, "vit-b-32", (3, 224, 224), threads=asked.threads, max_batch=32)

    ours = session()
    print(f"on {ours.device}, best batch by its own measure: {ours.batch}")
    told(
        f"our session, batch {ours.batch}",
        measured(lambda: len(ours.run(0, ours.batch)), asked.seconds),
    )
    limits = Limits(frames=FRAMES, side=asked.side, listen=False)
    paths = videos(asked.folder, folder)
    decoded, media = decoding(paths, limits)
    told("decode, one process", decoded)
    frames = [frame for one in media for frame in one.frames]
    prepare, to = Preparation(Card()), np.empty((3, 224, 224), np.float32)

    def prepared() -> int:
        for frame in frames:
            prepare(frame, to)
        return len(frames)

    told("preprocess, one thread", measured(prepared, asked.seconds))
    visual = Visual(ours, Card(), "vit-b-32")
    reels = [Media(reel(n), frames=one.frames) for n, one in enumerate(media)]

    def embedded() -> int:
        for start in range(0, len(reels), visual.max_batch):
            visual.extract(reels[start : start + visual.max_batch])
        return len(frames)

    told("frames in memory to embeddings", measured(embedded, asked.seconds))
    told(
        "videos on disk to embeddings",
        end_to_end(paths, asked.turns, limits, visual, asked.decoders),
    )
    whole = Meter()
    whole.frames = 1
    whole.seconds = 1 / best + decoded.cpu / decoded.frames / (os.cpu_count() or 1)
    whole.cpu = 1 / best_cpu + decoded.cpu / decoded.frames
    told("(bare session + decode, one machine)", whole)
    return figures


if __name__ == "__main__":
    main()
