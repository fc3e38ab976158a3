"""Starts a worker process in half the time: `python -m flows.start JOB.json PROCESS`.

Most of a start is imports. What they make stays for good, so looking for cycles among it, which
takes a quarter of the time, is wasted.
"""

import gc
import os
import sys
from pathlib import Path


def main(job_file: Path, process: int) -> None:
    """Load what a worker needs, then run `flows.worker`."""
    gc.disable()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy starts and spins the others in vain
    _load_numba()
    from flows.worker import run as work

    gc.freeze()
    gc.enable()
    work(job_file, process)


def _load_numba() -> None:
    """Load numba's NumPy functions without BLAS, which no kernel uses.

    To know whether there is BLAS numba imports `scipy.linalg`, half of the time that it takes to
    load the compiled kernels.
    """
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules["scipy.linalg"]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
