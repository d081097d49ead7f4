"""Which native core serves, told by the version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def told(folder: Path, module: str, wanted: str = "") -> subprocess.CompletedProcess[str]:
    """`--version`, where this module is the installed core."""
    (folder / "liteshift_native.py").write_text(module)
    environment = {**os.environ, "PYTHONPATH": str(folder), "LITESHIFT_NATIVE": wanted}
    return subprocess.run(
        [sys.executable, "-m", "liteshift", "--version"], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", ["__version__ = '0'", "__version__ = '0'; BUILD = 1"])
def test_a_core_of_another_build_is_left_alone_and_named(tmp_path: Path, module: str) -> None:
    done = told(tmp_path, module)
    assert done.returncode == 0 and "belongs to another liteshift: make native" in done.stdout


def test_who_insists_on_a_core_of_another_build_is_told_what_to_type(tmp_path: Path) -> None:
    done = told(tmp_path, "__version__ = '0'", wanted="1")
    assert done.returncode != 0 and "belongs to another liteshift" in done.stderr
