"""The verdict: from everything an assessment found to go, go with changes, or no-go, and why.

No-go: `liteshift migrate` would stop. Go with changes: it would end well, but something is rejected, lost, or must be
changed in the application. Go: none of these.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from liteshift.assessment import (
    BrokenKey,
    Check,
    ConstructUse,
    Decision,
    Effect,
    Effort,
    Fate,
    Level,
    Load,
    ObjectFate,
    Reason,
    State,
    TableFacts,
    Verdict,
    Workload,
    Writes,
)
from liteshift.plan import Finding, Severity
from liteshift.survey import Oddity

_NAMED = 3  # how many names a reason gives before it counts the others

_VALUES = {
    Oddity.NAN: ("NaN", "make it NULL, or a number the application takes for none"),
    Oddity.NEGATIVE_ZERO: ("-0", "make it 0, which it equals: SQLite drops the sign"),
    Oddity.INFINITY: ("a time of infinity", "make it NULL, or a day far away such as 9999-12-31"),
    Oddity.BEFORE_CHRIST: ("a time before Christ", "keep it as text: SQLite's readers know no year before 1"),
    Oddity.PAST_9999: ("a time past the year 9999", "bring it to 9999 or before: SQLite's readers know no later year"),
    Oddity.HOUR_24: ("the time 24:00:00", "make it 23:59:59.999999 or 00:00:00"),
    Oddity.PAST_15_DIGITS: (
        "a number of more than 15 digits",
        "shorten it; or use --profile sqlalchemy, which keeps all",
    ),
    Oddity.NOT_UTF8: ("a text that is not UTF-8", "write it again as UTF-8, with convert_from()"),
}

_HAND = "fails on SQLite where it is written by hand"
_CONSTRUCTS: tuple[tuple[str, Callable[[ConstructUse], bool]], ...] = (
    ("needs another design", lambda use: use.effort is Effort.REDESIGN),
    ("gets other answers from SQLite", lambda use: use.effort is Effort.REWRITE and use.effect is Effect.DIFFERS),
    ("fails on SQLite", lambda use: use.effort is Effort.REWRITE and use.effect is Effect.FAILS),
    (_HAND, lambda use: use.effort is Effort.ORM),
)


def verdict(
    findings: Sequence[Finding],
    objects: Sequence[ObjectFate],
    tables: Sequence[TableFacts],
    broken: Sequence[BrokenKey],
    access: Check,
    workload: Workload,
    writes: Writes,
) -> Verdict:
    """Decide, and say why, the weightiest reason first.

    Args:
        findings: the plan's.
        objects: what becomes of each object.
        tables: what is known of the rows.
        broken: foreign keys with rows whose parent is not there.
        access: whether the role may read everything.
        workload: the application's SQL.
        writes: how much it writes.
    """
    reasons = [
        *_refusals(findings),
        *_no_tables(tables),
        *_oversize(tables),
        *_access(access, tables),
        *_odd_values(tables),
        *_orphans(broken),
        *_constructs(workload),
        *_load(writes),
        *_losses(objects),
        *_numerics(tables),
        *_unseen(tables, workload),
    ]
    levels = {reason.level for reason in reasons}
    decision = Decision.CHANGES if Level.CHANGE in levels else Decision.GO
    decision = Decision.NO_GO if Level.STOP in levels else decision
    rank = list(Level)
    return Verdict(decision, tuple(sorted(reasons, key=lambda reason: rank.index(reason.level))))


def _refusals(findings: Sequence[Finding]) -> Iterator[Reason]:
    alike: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for item in findings:
        if item.severity is Severity.REFUSAL:
            alike[item.kind, item.what, item.why, item.instead].append(item.subject)
    for (kind, what, why, instead), subjects in alike.items():
        yield Reason(Level.STOP, f"{kind} {_names(subjects)} {what}: {why}", instead)


def _no_tables(tables: Sequence[TableFacts]) -> Iterator[Reason]:
    if not tables:
        instead = "look at the database's name, and at --include and --exclude"
        yield Reason(Level.STOP, "there is no table to move", instead)


def _oversize(tables: Sequence[TableFacts]) -> Iterator[Reason]:
    for table in tables:
        if table.oversize:
            what = f"{_count(table.oversize, 'row')} of {table.name} with more bytes than SQLite holds, 1,000,000,000"
            yield Reason(Level.STOP, what, "keep such values in files, and their paths in the table")


def _access(access: Check, tables: Sequence[TableFacts]) -> Iterator[Reason]:
    if access.state is State.MISSING:
        more = " and so on, for each" if len(access.fix) > _NAMED else ""
        instead = " ".join(access.fix[:_NAMED]) + more
        yield Reason(Level.CHANGE, f"not everything could be read: {access.found}", instead)
    failed = [table for table in tables if table.unread and access.state is not State.MISSING]
    for table in failed:
        yield Reason(Level.CHANGE, f"{table.name} could not be read: {table.unread}", "assess again")


def _odd_values(tables: Sequence[TableFacts]) -> Iterator[Reason]:
    rows: Counter[Oddity] = Counter()
    columns: dict[Oddity, list[str]] = defaultdict(list)
    sampled: set[Oddity] = set()
    for table in tables:
        for odd in table.odd:
            if odd.refused:
                rows[odd.oddity] += odd.rows
                columns[odd.oddity].append(f"{table.name}.{odd.column}")
                sampled |= set() if table.whole else {odd.oddity}
    for oddity, count in rows.most_common():
        at_least = "at least " if oddity in sampled else ""
        value, mend = _VALUES[oddity]
        what = f"{at_least}{_count(count, 'row')} with {value} would be rejected, in {_names(columns[oddity])}"
        yield Reason(Level.CHANGE, what, f"on the source: {mend}")


def _orphans(broken: Sequence[BrokenKey]) -> Iterator[Reason]:
    for key in broken:
        what = f"{_count(key.orphans, 'row')} break the foreign key {key.key}"
        if key.trusted:
            instead = "mend the rows; or drop the key and add it again as NOT VALID, which leaves it out"
            yield Reason(Level.STOP, f"{what}, which PostgreSQL takes for valid: the move would stop there", instead)
        else:
            instead = "mend the rows, then ALTER TABLE … VALIDATE CONSTRAINT"
            yield Reason(Level.CHANGE, f"{what}, which would be left out", instead)


def _constructs(workload: Workload) -> Iterator[Reason]:
    for what, belongs in _CONSTRUCTS:
        uses = [use for use in workload.uses if belongs(use)]
        if uses:
            names = _names([f"{use.title} ({_count(use.calls, 'call')})" for use in uses])
            first = f"{uses[0].title}: {uses[0].instead}"
            instead = "nothing where SQLAlchemy or Django writes it" if what is _HAND else first
            yield Reason(Level.CHANGE, f"the application uses SQL that {what}: {names}", instead)


def _load(writes: Writes) -> Iterator[Reason]:
    rate = f"up to {writes.transactions:,.0f} transactions per second write, on average"
    if writes.load is Load.HEAVY:
        instead = "measure it with liteshift bench; write in fewer, larger transactions, or split the data into files"
        yield Reason(Level.CHANGE, f"{rate}: more than one writer may manage", instead)
    elif writes.load is Load.BUSY:
        what = f"{rate}, and peaks are higher: near what one writer manages"
        yield Reason(Level.ADVICE, what, "measure it with liteshift bench")


def _losses(objects: Sequence[ObjectFate]) -> Iterator[Reason]:
    lost = Counter(item.kind for item in objects if item.fate is Fate.LOST)
    if lost:
        kinds = ", ".join(_kinds(kind, count) for kind, count in lost.most_common())
        what = f"{_count(lost.total(), 'object')} not carried as they are: {kinds}"
        yield Reason(Level.CHANGE, what, "read the list, make anew what you need, then say --accept-losses")


def _numerics(tables: Sequence[TableFacts]) -> Iterator[Reason]:
    short = [(f"{table.name}.{one.column}", one.fits) for table in tables for one in table.numerics if one.fits]
    if short:
        names = _names([name for name, _ in short])
        what = f"{_count(len(short), 'numeric column')} would fit 15 digits, which SQLite keeps as a number: {names}"
        yield Reason(Level.ADVICE, what, " ".join(statement for _, statement in short[:_NAMED]))


def _unseen(tables: Sequence[TableFacts], workload: Workload) -> Iterator[Reason]:
    part = [str(table.name) for table in tables if not table.whole and not table.unread]
    if part:
        yield Reason(Level.ADVICE, f"only a sample was read of {_names(part)}", "read every row with --deep")
    if workload.missing:
        what = f"the application's own SQL was not seen: {workload.missing}"
        yield Reason(Level.ADVICE, what, "install it, or run the application's tests on a first copy")


def _names(subjects: Sequence[str]) -> str:
    shown = ", ".join(subjects[:_NAMED])
    return shown if len(subjects) <= _NAMED else f"{shown} and {len(subjects) - _NAMED} more"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _kinds(kind: str, count: int) -> str:
    if kind in ("comments", "privileges", "partitioning", "inheritance", "row level security"):
        return kind
    if count == 1:
        return f"{count} {kind}"
    if kind == "policy":
        return f"{count} policies"
    return f"{count} {kind}{'es' if kind.endswith('x') else 's'}"
