"""A worker starts without what it does not need, and takes nothing away from it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_worker_is_loaded_without_scipy_and_can_still_import_it() -> None:
    program = (
        "import gc, sys\n"
        "from flows import start\n"
        "def work(job_file, process):\n"
        "    assert gc.isenabled() and gc.get_freeze_count()\n"
        "    assert 'operators.synthesise' in sys.modules\n"
        "    print('loaded:', *[name for name in sys.modules if name.startswith('scipy')])\n"
        "    import scipy.linalg\n"
        "import flows.worker\n"
        "flows.worker.main = work\n"
        "start.main(None, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "scipy.linalg" not in done.stdout
    assert done.stdout.startswith("loaded:")
