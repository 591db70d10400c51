"""The machine as far as the bits of a run depend on it: versions, the linear algebra, and its number of threads."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import workbench
from workbench.engine.trainer import Trainer
from workbench.session.session import Environment, Session

ARITHMETIC = 2
"""Another number computes other bits from the same preset, seed and timeline; in the last digits only."""
SMALL_STEP = 8_000_000
"""Parameters times batch size up to which one thread is enough."""


_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where Linux says how much memory a container may have."""


def fix_blas_threads(session: Session, trainer: Trainer) -> None:
    """Set the number of threads for linear algebra: the session's own, because another number rounds differently.

    A new run gets one thread where a step is small, since waking others costs more than they bring. A large one gets all
    cores but one: where a thread has to wait for a core that the screen uses, all of them wait, many times as long.
    """
    if session.environment is not None and session.environment.blas_threads >= 1:
        threads = session.environment.blas_threads
    else:
        work = trainer.state.network.parameters.size * trainer.hyperparameters.batch_size
        threads = 1 if work < SMALL_STEP else max(1, (os.cpu_count() or 1) - 1)
    threadpool_limits(threads, user_api="blas")


def blas_threads() -> int:
    """How many threads the linear algebra may use now."""
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


def memory() -> int | None:
    """Bytes of memory that this machine has, or this container may have; None where the system does not say."""
    sizes = []
    try:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return None
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        sizes.append(int(_MEMORY_LIMIT.read_text()))
    return min(sizes)


def speed() -> float:
    """Floating-point operations a second of this machine on a product of matrices, as one of 30 ms or so shows it."""
    A = np.ones((768, 768), np.float32)
    A @ A  # wakes the threads
    begun = time.perf_counter()
    A @ A
    return 2.0 * 768**3 / max(time.perf_counter() - begun, 1e-9)


def environment(session: Session | None = None) -> Environment:
    """What bit-identity depends on beside preset, seed and timeline.

    A run that was begun with another arithmetic, `session`'s, will not be the same again in the present one.
    """
    begun = session.environment if session is not None else None
    # The library picks its kernels by the processor, and other kernels round differently.
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = [f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip() for pool in pools]
    return Environment(
        workbench=workbench.__version__,
        python=platform.python_version(),
        numpy=np.__version__,
        blas=", ".join(sorted(set(blas))) or "unknown",
        blas_threads=blas_threads(),
        platform=f"{platform.system()} {platform.machine()}",
        arithmetic=ARITHMETIC if begun is None else begun.arithmetic,
    )
