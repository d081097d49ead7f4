"""What an assessment says in sentences, on a terminal and on a page alike."""

from __future__ import annotations

from liteshift.assessment import Assessment, Fate, Level, Load, State, TableFacts
from liteshift.cli.render import count, size

FATES = {
    Fate.CARRIED: "carried",
    Fate.NOTED: "carried with a note",
    Fate.LOST: "lost, or a part of it",
    Fate.REFUSED: "refused",
}
LEVELS = {Level.STOP: "stop", Level.CHANGE: "change", Level.ADVICE: "advice"}
STATES = {State.READY: "✓", State.ADVICE: "!", State.MISSING: "✗"}
NEEDED = {State.READY: "", State.ADVICE: "advised", State.MISSING: "needed"}
LIVE = "For liteshift migrate --live; without it SELECT is enough"

_LOADS = {
    Load.LIGHT: "One writer is plenty",
    Load.BUSY: "One writer may do, but measure it with liteshift bench",
    Load.HEAVY: "More than one writer may manage: measure it with liteshift bench",
}


def duration(seconds: float) -> str:
    """Seconds for people, roughly."""
    if seconds < 1.5:
        return "a second"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 180_000 else f"{seconds / 86400:.0f} days"


def summary(found: Assessment) -> str:
    """What is there, and what the move will make and take."""
    there = sum(table.bytes for table in found.tables)
    road = "the native core" if found.prediction.road == "native" else "Python"
    return (
        f"{count(len(found.tables), 'table')}, {count(found.rows, 'row')}, {size(there)} there. Predicted: a file of "
        f"about {size(found.prediction.bytes)}, made and verified by {road} in about"
        f" {duration(found.prediction.seconds)}."
    )


def scope(found: Assessment) -> str:
    """How much of the rows was read."""
    part = sum(not table.whole and not table.unread for table in found.tables)
    unread = sum(bool(table.unread) for table in found.tables)
    said = [f"Of {count(part, 'large table')} a sample was read; --deep reads every row."] if part else []
    if unread:
        said.append(f"{count(unread, 'table')} could not be read: nothing is known of the rows there.")
    return " ".join(said) or "Every row was read."


def reading(item: TableFacts) -> str:
    """How much of a table was read."""
    if item.unread:
        return "none"
    return "all" if item.whole else f"{item.read:,}"


def remarks(item: TableFacts) -> list[str]:
    """What a table's rows hold that is worth saying."""
    if item.unread:
        return [item.unread]
    said = []
    for odd in item.odd:
        key = ", ".join(f"{name} {text}" for name, text in odd.example.items())
        said.append(f"{odd.column}: {odd.oddity} in {count(odd.rows, 'row')}" + (f" (one has {key})" if key else ""))
    for numeric in item.numerics:
        if numeric.before + numeric.after:
            digits = f"at most {count(numeric.before, 'digit')} before the point and {numeric.after} after it"
            said.append(f"{numeric.column}: {digits}" + (", so 15 would do" if numeric.fits else ""))
    if item.oversize:
        said.append(f"{count(item.oversize, 'row')} too large, up to {size(item.widest)}")
    return said


def workload(found: Assessment) -> list[str]:
    """How much of the application's SQL was seen."""
    seen = found.workload
    since = f" since {seen.since} UTC" if seen.since else ""
    writing = f"{seen.write_calls:,} of them writing"
    said = [f"{count(seen.statements, 'statement')} called {count(seen.calls, 'time')}{since}, {writing}"]
    if seen.unparsed:
        said.append(f"{count(seen.unparsed, 'statement')} could only be looked at word by word")
    if seen.hidden:
        said.append(
            f"{count(seen.hidden, 'statement')} of other roles hidden from this one; pg_read_all_stats shows them"
        )
    if seen.left_out:
        said.append(f"{count(seen.left_out, 'statement')} not looked at, which take the least time")
    return said


def writes(found: Assessment) -> list[str]:
    """How much is written, and what that means."""
    seen = found.writes
    length = duration(seen.seconds)
    since = f"over {length}" if seen.exact else f"since the server started {length} ago, if not longer"
    said = [
        f"{_LOADS[seen.load]}: at most {_rate(seen.transactions)} writing transactions and {_rate(seen.rows)} rows a "
        f"second, on average {since}. Peaks are not seen.",
        f"{count(seen.writers, 'transaction')} had written and not yet ended at the moment of looking.",
    ]
    if seen.now_transactions is not None:
        during = f"within {duration(seen.now_seconds)} of this assessment"
        said.append(f"At most {_rate(seen.now_transactions)} writing transactions a second {during}.")
    return said


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"
