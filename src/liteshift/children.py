"""Python processes of ours: each is gone when its block ends, and when we are killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from liteshift.errors import LiteshiftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO

PATIENCE = 10.0


def environment(**changes: str) -> dict[str, str]:
    """Our environment without the settings that would change what a child of ours does, and with these changes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LITESHIFT_", "PG"))}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **changes}


@contextmanager
def child(
    arguments: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end when the block does, and then made to.

    A terminal's ^C does not reach it: it reaches us, and we leave the block.

    Args:
        arguments: what follows `python`.
        folder: where it runs.
        env: its whole environment.
        stdin, stdout, stderr, pass_fds: as subprocess.Popen's.
    """
    process = subprocess.Popen(
        [*_tie(), sys.executable, *arguments],
        cwd=folder,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def run(arguments: Sequence[str], *, folder: Path, env: Mapping[str, str], show: bool = False) -> str:
    """Run a process to its end, and return what it printed.

    Args:
        arguments: what follows `python`.
        folder: where it runs.
        env: its whole environment.
        show: let it print where we do instead; nothing is returned then.

    Raises:
        LiteshiftError: it failed; the message ends with the last lines of its errors.
    """
    pipe = None if show else subprocess.PIPE
    with child(arguments, folder=folder, env=env, stdout=pipe, stderr=pipe) as process:
        output, errors = process.communicate()
    if process.returncode:
        reason = "" if show else f": {last_lines(errors.decode(errors='replace'))}"
        name = " ".join(arguments).removeprefix("-m ")
        raise LiteshiftError(f"{name} ended with exit code {process.returncode}{reason}")
    return "" if show else output.decode()


def last_lines(text: str) -> str:
    """The end of a log on one line, for a message."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-5:])


def _tie() -> list[str]:
    setpriv = shutil.which("setpriv")  # where there is none, a child outlives us when we are killed without warning
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(PATIENCE)
    except BaseException as reason:
        process.kill()
        process.wait()
        if not isinstance(reason, subprocess.TimeoutExpired):
            raise
