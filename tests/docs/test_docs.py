"""What the docs say is run: the generated pages are fresh, the links lead somewhere, the commands work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACEHOLDER = "postgresql://user:password@localhost:5432/mydb"


def _blocks(page: Path) -> list[str]:
    return re.findall(r"^```bash\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def _run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path} | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def shop(database: str) -> str:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute((Path(__file__).parent / "shop.sql").read_text().encode())
    return database


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "build.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_tutorial_runs(shop: str, tmp_path: Path) -> None:
    script = "\n".join(_blocks(ROOT / "docs" / "tutorial.md"))
    assert PLACEHOLDER in script
    done = _run(script.replace(PLACEHOLDER, f"'{shop}'"), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "shop.db").exists()


def test_sqlite_page_runs(shop: str, tmp_path: Path) -> None:
    assert _run("liteshift migrate --accept-losses shop.db", tmp_path, LITESHIFT_SOURCE=shop).returncode == 0
    done = _run("\n".join(_blocks(ROOT / "docs" / "sqlite.md")), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_tutorial_engines_open_the_file(shop: str, tmp_path: Path) -> None:
    program = re.search(r"^```python\n(.*?)^```", (ROOT / "docs" / "tutorial.md").read_text(), re.DOTALL | re.MULTILINE)
    assert program is not None
    assert _run("liteshift migrate --accept-losses rehearsal.db", tmp_path, LITESHIFT_SOURCE=shop).returncode == 0
    counted = 'print(engines.reader.connect().exec_driver_sql("SELECT count(*) FROM orders").scalar_one())'
    done = subprocess.run(
        [sys.executable, "-c", f"{program[1]}\n{counted}\nengines.dispose()"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "5000\n", done.stderr


def test_readme_runs_in_a_fresh_copy(shop: str, tmp_path: Path) -> None:
    copy = tmp_path / "liteshift"
    kept = shutil.ignore_patterns(".git", ".venv", "demo", "target", "*_cache", "__pycache__", ".hypothesis", "*.db*")
    shutil.copytree(ROOT, copy, ignore=kept)
    script = "\n".join(_blocks(ROOT / "README.md"))
    assert PLACEHOLDER in script
    script = script.replace(PLACEHOLDER, f"'{shop}'").replace("migrate app.db", "migrate --accept-losses app.db")
    environment = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    done = _run(script, copy, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / "app.db").exists()
