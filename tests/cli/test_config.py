"""`liteshift.toml`: for all commands or one, and what nobody knows is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from liteshift.cli.main import load_commands
from liteshift.cli.options import config_defaults
from liteshift.errors import UsageError


def _defaults(folder: Path, text: str) -> dict[str, dict[str, object]]:
    (folder / "liteshift.toml").write_text(text)
    return config_defaults(folder, load_commands)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert config_defaults(tmp_path, load_commands) == {}


def test_keys_are_named_as_they_are_typed(tmp_path: Path) -> None:
    found = _defaults(tmp_path, 'json = true\nprofile = "plain"\n[migrate]\nprofile = "django"\naccept-losses = true\n')
    assert found["migrate"] == {"as_json": True, "profile": "django", "accept_losses": True}
    assert found["plan"] == {"as_json": True, "profile": "plain"}
    assert "profile" not in found["health"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("profil = 'plain'", "profil, which liteshift does not know"),
        ("[migrate]\nexlude = ['x']", "exlude, which liteshift migrate does not know"),
        ("[mirgate]\nprofile = 'plain'", "mirgate"),
        ("migrate = 5", "migrate"),
        ("profile = ", "can't be read"),
        ("\x00", "can't be read"),
    ],
)
def test_what_nobody_knows_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _defaults(tmp_path, text)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "liteshift.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="can't be read"):
        config_defaults(tmp_path, load_commands)
