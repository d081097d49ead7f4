"""The client process of one database: told on stdin what to measure, one JSON line each, it answers on stdout."""

from __future__ import annotations

import json
import os
import sys

from liteshift.app.engines import PoolSettings, make_engines
from liteshift.bench.operations import Operations


def main() -> None:
    """Serve until stdin ends."""
    parties, threads, preset = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    pool = PoolSettings(size=threads, pre_ping=False)  # nobody goes away here, and asking costs PostgreSQL a round trip
    engines = make_engines(os.environ["DATABASE_URL"], preset="fast" if preset == "fast" else "durable", pool=pool)
    operations = Operations(engines, parties, threads)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        times, elapsed = operations.measure(**json.loads(line))
        print(json.dumps([times, elapsed]), flush=True)
    engines.dispose()


main()
