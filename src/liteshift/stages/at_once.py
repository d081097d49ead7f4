"""Does several pieces of work at the same time, each in a thread and on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TypeAlias

from liteshift.ends import Snapshot
from liteshift.progress import Progress, Step

Work: TypeAlias = Callable[[Snapshot, Progress], None]

LOOK = 0.2
"""Seconds after which a thread that waits looks whether it must stop: it tells its progress, which ends it then."""


class _Stopped(Exception):
    pass


def at_once(snapshot: Snapshot, works: Sequence[Work], progress: Progress, jobs: int) -> None:
    """Do all of it; each piece is begun in its turn. Where one fails, the others are ended.

    Args:
        snapshot: what each has another connection to.
        progress: told of all, in the caller's thread.
        jobs: how many at the same time.
    """
    stop, steps = threading.Event(), SimpleQueue[Step]()

    def tell(step: Step) -> None:
        if stop.is_set():
            raise _Stopped
        steps.put(step)

    with ExitStack() as stack:
        snapshots = SimpleQueue[Snapshot]()
        for _ in range(jobs):
            snapshots.put(stack.enter_context(snapshot.another()))

        def do(work: Work) -> None:
            own = snapshots.get()
            try:
                work(own, tell)
            finally:
                snapshots.put(own)

        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        try:
            waiting = {pool.submit(do, work) for work in works}
            while waiting:
                done, waiting = wait(waiting, timeout=LOOK, return_when=FIRST_COMPLETED)
                while not steps.empty():
                    progress(steps.get())
                for job in done:
                    job.result()
        except BaseException:  # ^C as well: the other threads are to end before it goes on
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
