"""Progress on a terminal: one bar for what is being done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from liteshift.cli.render import printable
from liteshift.progress import Progress as Listener
from liteshift.progress import Step


@contextmanager
def shown() -> Iterator[Listener]:
    """Show what the stages tell their progress to, on stderr."""
    columns = (
        TextColumn("{task.fields[stage]:<7}"), TextColumn("{task.description}"), BarColumn(),
        MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)


class _Rate(ProgressColumn):
    """Rows per second of a task."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="cyan")


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str], Any] = {}

    def __call__(self, step: Step) -> None:
        key = (step.stage, step.subject)
        if key not in self._tasks:
            for task in self._tasks.values():
                self._bars.update(task, visible=False)
            self._tasks[key] = self._bars.add_task(printable(step.subject), stage=step.stage, total=step.total)
        total = max(step.done, step.total) if step.total is not None else None
        self._bars.update(self._tasks[key], completed=step.done, total=total)
