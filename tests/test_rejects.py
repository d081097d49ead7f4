"""Rejects are written down beside the target, under their name only when all went well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from liteshift.errors import LiteshiftError
from liteshift.rejects import RejectFile
from liteshift.reports import Reject

REJECT = Reject("public.t", {"id": "1"}, "f", "NaN is NULL to SQLite")


def test_rejects_take_their_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "app.db.rejects.jsonl"
    path.write_text("of an earlier run")
    with RejectFile(path) as reject:
        reject(REJECT)
        reject(REJECT)
        assert path.read_text() == "of an earlier run"
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"table": "public.t", "key": {"id": "1"}, "column": "f", "reason": "NaN is NULL to SQLite"}
    ] * 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert [name.name for name in tmp_path.iterdir()] == [path.name]


def test_a_run_without_rejects_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db.rejects.jsonl"
    path.write_text("of an earlier run")
    with RejectFile(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "app.db.rejects.jsonl"
    path.write_text("of an earlier run")
    with pytest.raises(ZeroDivisionError), RejectFile(path) as reject:
        reject(REJECT)
        raise ZeroDivisionError
    assert path.read_text() == "of an earlier run"
    assert [name.name for name in tmp_path.iterdir()] == [path.name]


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    path = tmp_path / "app.db.rejects.jsonl"
    path.symlink_to(elsewhere)
    with RejectFile(path) as reject:
        reject(REJECT)
    assert elsewhere.read_text() == "mine" and not path.is_symlink()


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(LiteshiftError, match="can't be written"), RejectFile(tmp_path / "gone" / "r") as reject:
        reject(REJECT)
