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


@pytest.mark.parametrize(
    ("module", "wanted", "message", "hint"),
    [
        ("__version__ = '0'", "1", "LITESHIFT_NATIVE is 1, and the native core that is installed belongs to another"
         " liteshift", "Build it anew with: make native"),
        ("raise ImportError", "1", "LITESHIFT_NATIVE is 1, and the native core is not installed",
         "Build it with: make native"),
        ("raise ImportError", "yes", "LITESHIFT_NATIVE is 'yes'", "Use 0 to do without the native core, 1 to insist."),
    ],
)  # fmt: skip
def test_who_insists_in_vain_is_told_what_to_type(
    tmp_path: Path, module: str, wanted: str, message: str, hint: str
) -> None:
    done = told(tmp_path, module, wanted)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {message}\nhint: {hint}\n")


def test_a_program_that_insists_in_vain_moves_nothing(tmp_path: Path) -> None:
    (tmp_path / "liteshift_native.py").write_text("raise ImportError")
    program = "from liteshift.sqlite import build; build.site(None, 't', [], [])"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "LITESHIFT_NATIVE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode and "UsageError: LITESHIFT_NATIVE is 1" in done.stderr
