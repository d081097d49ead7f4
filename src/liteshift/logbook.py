"""What is known of a live move between one run and the next: one small file, replaced whole at every step."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from liteshift.durable import replace_file
from liteshift.errors import LiteshiftError, NotInitialised
from liteshift.phases import Phase, may_go
from liteshift.plan import Choices, Plan
from liteshift.reports import SwitchReport


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of the move: when, in UTC, what, and for a switch the name of its report."""

    at: str
    phase: Phase
    note: str
    report: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """All that is known of a move.

    Attributes:
        move: its name, which the slot, the publication and the fence bear.
        phase: where it is.
        epoch: how many times the application has been moved, either way.
        source: what to call the source; holds no password.
        target: the SQLite file.
        gate: the route file of the application's gate; empty where it has none.
        hooks: the command to run when the application goes to a side, by its name.
        choices: what the user decided.
        plan: what became of everything, once it is copied.
        rules: the rules of the source's tables when the plan was made, see `translate.rules`; None where nobody looked.
        draft: what is known beforehand of the switch that is on its way; None where none is.
        overwrite: a file that is there before the copy is to be replaced.
        ending: the capture is being taken away for good; else a file without one is another than the one we know.
        cleared: whether the move is over and nothing of ours is left on the source.
        entries: every step so far.
    """

    move: str
    phase: Phase
    epoch: int
    source: str
    target: str
    gate: str
    hooks: dict[str, str]
    choices: Choices
    plan: Plan | None = None
    rules: dict[str, dict[str, str]] | None = None
    draft: SwitchReport | None = None
    overwrite: bool = False
    ending: bool = False
    cleared: bool = False
    entries: tuple[Entry, ...] = ()


_PAGE = TypeAdapter(Page)


class Logbook:
    """The file that holds the page; there is one writer at a time, whoever holds the workdir."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether a move was begun here."""
        return self._path.exists()

    def is_lost(self) -> bool:
        """Whether there is no page, or none that can be read."""
        try:
            self.read()
        except LiteshiftError:
            return True
        return False

    def read(self) -> Page:
        """The page.

        Raises:
            NotInitialised: no move was begun here.
            LiteshiftError: it can't be read.
        """
        try:
            return _PAGE.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            raise NotInitialised(
                f"no live move was begun in {self._path.parent}",
                hint="Begin one: liteshift migrate --live SOURCE TARGET",
            ) from None
        except (ValidationError, OSError) as error:
            raise LiteshiftError(
                f"{self._path} can't be read as the logbook of a move",
                hint="If it was changed by hand, undo that; liteshift abort SOURCE TARGET ends the move.",
            ) from error

    def write(self, page: Page) -> Page:
        """Replace the page, durably."""
        text = json.dumps(_PAGE.dump_python(page, mode="json"), ensure_ascii=False, indent=1)
        replace_file(self._path, text)
        return page

    def turn(
        self, page: Page, phase: Phase, entry: Entry, *, draft: SwitchReport | None = None, epoch: int | None = None
    ) -> Page:
        """Go to another phase and write that down.

        Raises:
            LiteshiftError: the move can't go there from where it is.
        """
        if not may_go(page.phase, phase):
            raise LiteshiftError(f"the move is {page.phase}, and can't go to {phase} from there")
        entries = (*page.entries, entry)
        changed = replace(page, phase=phase, draft=draft, entries=entries)
        return self.write(changed if epoch is None else replace(changed, epoch=epoch))
