"""A partition's clock: the running maximum of its times, safe from times that are wrong.

One reel stamped next year must not close every tick until then, yet in a quiet stream the next
reel may honestly be hours later than the last. Both are jumps ahead; what tells them apart is what
follows. So a time that is ahead of the clock moves it only if at least a quarter of the next
`look_ahead` records have reached it too; where the input ends sooner a quarter of those left is
enough, for a jump of a day at most. A time that is not so confirmed stands as it is up to `future`
ahead of the clock, and further ahead is clamped to the clock.

The rule looks at the order of records in their partition and at nothing else: not at batches, not
at wall clocks, not at other partitions.

Times are int64 microseconds since 1970 UTC.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

UNSET: Final = np.iinfo(np.int64).min
"""The clock of a partition that has not seen a confirmed time."""

CONFIRMING_SHARE: Final = 4
"""One in so many of the records looked ahead at must have reached a time to confirm it."""

GAP_AT_END: Final = 86_400 * 1_000_000
"""A longer jump, in microseconds, is not confirmed by the few records left at the end."""


@njit(cache=True)
def _share(records: int) -> int:
    """Return how many of so many records must have reached a time."""
    return max(1, (records + CONFIRMING_SHARE - 1) // CONFIRMING_SHARE)


@njit(cache=True)
def settle(
    times: npt.NDArray[np.int64],
    clock: int,
    future: int,
    look_ahead: int,
    end: bool,
    settled: npt.NDArray[np.int64],
    clocks: npt.NDArray[np.int64],
) -> tuple[int, int]:
    """Settle the times of the records that have been looked ahead of far enough.

    Args:
        times: times of the records not settled yet, in the order of the partition.
        clock: the partition's clock before the first of them, or `UNSET`.
        future: how far ahead of the clock an unconfirmed time may stand, in microseconds, >= 0.
        look_ahead: records to look ahead at, >= 1.
        end: the partition ends with these records, so that all of them are settled.
        settled: receives the settled times (same length as `times`).
        clocks: receives the clock after each record (same length as `times`).

    Returns:
        How many records from the first are settled (all but the last `look_ahead`, or all of them
        at the end), and how many of those were clamped.
    """
    n = times.size
    done = n if end else max(0, n - look_ahead)
    clamped = 0
    for i in range(done):
        time = times[i]
        if time > clock:
            ahead = min(look_ahead, n - 1 - i)
            needed = _share(look_ahead)
            if ahead < look_ahead and (clock == UNSET or time - clock <= GAP_AT_END):
                needed = _share(ahead)
            reached = 0
            j = i + 1
            while reached < needed and j <= i + ahead:
                if times[j] >= time:
                    reached += 1
                j += 1
            if reached >= needed or (clock == UNSET and n == 1):
                clock = time
            elif clock != UNSET and time > clock + future:
                time = clock
                clamped += 1
            elif clock == UNSET:
                time = _reached_by(times[i + 1 : i + 1 + ahead], _share(ahead))
                clock = time
                clamped += 1
        settled[i] = time
        clocks[i] = clock
    return done, clamped


@njit(cache=True)
def _reached_by(times: npt.NDArray[np.int64], needed: int) -> int:
    """Return the latest time that `needed` of `times` have reached."""
    ordered = np.sort(times)
    return int(ordered[ordered.size - needed])
