"""Assesses a source: its catalog, its rows, its settings and its statistics, and whether it can be moved."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from liteshift import native
from liteshift.assessment import Assessment, BrokenKey, Prediction, TableFacts
from liteshift.catalog import Catalog, Constraint, Name, Table
from liteshift.ends import Snapshot, Source
from liteshift.plan import Choices, Plan
from liteshift.progress import Progress, Step
from liteshift.stages.rows import Pace, RowReader
from liteshift.survey import Oddity, Rights
from liteshift.translate.facts import Facts, doubtful_foreign_keys, doubtful_texts, foreign_keys
from liteshift.translate.fates import fates
from liteshift.translate.planner import make_plan
from liteshift.translate.prediction import schema_bytes
from liteshift.translate.readiness import checks, readable
from liteshift.translate.verdict import verdict
from liteshift.translate.workload import judge, known
from liteshift.translate.writing import writing

# A move takes so many times as long as its rows took to come and, in Python, to be decoded: it also writes them, makes
# the indexes, checks the file, and reads both sides again to compare them. How near this comes is measured by
# benchmarks/predictions.py.
_NATIVE_MOVE = 3.0  # times their coming
_PYTHON_MOVE = 3.5  # times both
_START_SECONDS = 0.3


def assess(source: Source, choices: Choices, *, deep: bool, progress: Progress) -> Assessment:
    """Assess a source; nothing is written anywhere.

    Args:
        source: the database to move.
        choices: what the user decides about the plan.
        deep: read every row; else a sample of large tables.
        progress: told about each table.

    Raises:
        UsageError: a pattern names no table.
        NoConnection: there is no connection, or it broke.
    """
    clock = _Clock()
    with source.snapshot() as snapshot:
        survey = snapshot.survey()
        before = survey.activity()
        with clock.part("catalog"):
            catalog = snapshot.catalog()
            draft = make_plan(catalog, choices)  # it says which tables, and the form of each value
        chosen = _chosen(catalog, draft)
        server = survey.server()
        rights = _of_move(survey.rights(), chosen)
        reader = RowReader(survey, catalog, rights, before.tables, deep=deep)
        with clock.part("rows"):
            tables = []
            for done, (table, item) in enumerate(zip(chosen, draft.tables, strict=True), start=1):
                tables.append(reader.read(table, item))
                progress(Step("assess", str(table.name), done, len(chosen)))
        with clock.part("foreign keys"):
            orphans = _orphans(snapshot, doubtful_foreign_keys(catalog), tables)
            trusted = _orphans(snapshot, foreign_keys(catalog) if deep else [], tables)
        with clock.part("statements"):
            workload = judge(survey.statements(), known(catalog))
        plan = make_plan(catalog, choices, Facts(orphans, _ascii(catalog, tables)))
        writes = writing(before, survey.activity(), clock.all)
    objects = fates(plan, catalog)
    broken = _broken(orphans, trusted=False) + _broken(trusted, trusted=True)
    access = readable(server, rights)
    return Assessment(
        source=source.label,
        database=catalog.database,
        server=server.version_text,
        position=snapshot.position,
        profile=plan.profile,
        deep=deep,
        verdict=verdict(plan.findings, objects, tables, broken, access, workload, writes),
        objects=objects,
        findings=plan.findings,
        tables=tuple(tables),
        broken_keys=broken,
        live=checks(server, rights, chosen, plan.tables),
        workload=workload,
        writes=writes,
        prediction=_prediction(plan, tables, reader.paces),
        seconds=clock.seconds | {"all": clock.all},
    )


class _Clock:
    """How long each part took, and all of them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    @property
    def all(self) -> float:
        return time.monotonic() - self._began

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def _chosen(catalog: Catalog, plan: Plan) -> list[Table]:
    tables = {table.name: table for table in catalog.tables}
    return [tables[item.source] for item in plan.tables]


def _of_move(rights: Sequence[Rights], tables: Sequence[Table]) -> list[Rights]:
    """The rights on the tables of the move, and on the sequences that feed them."""
    wanted = {table.name for table in tables} | {column.sequence for table in tables for column in table.columns}
    return [right for right in rights if right.name in wanted]


def _orphans(
    snapshot: Snapshot, keys: Sequence[tuple[Table, Constraint]], tables: Sequence[TableFacts]
) -> dict[tuple[Name, str], int]:
    """Rows that break some foreign keys; always counted, never sampled."""
    read = {table.name for table in tables if not table.unread}
    return {
        (table.name, key.name): snapshot.orphans(
            table.name,
            key.columns,
            key.reference.table,
            key.reference.columns,
            match_full=key.reference.match_full,
        )
        for table, key in keys
        if key.reference is not None and {table.name, key.reference.table} <= read
    }


def _broken(orphans: Mapping[tuple[Name, str], int], *, trusted: bool) -> tuple[BrokenKey, ...]:
    return tuple(BrokenKey(f"{table}.{key}", count, trusted) for (table, key), count in orphans.items() if count)


def _ascii(catalog: Catalog, tables: Sequence[TableFacts]) -> frozenset[tuple[Name, str]]:
    """The doubtful columns in which no other text was seen."""
    others = {(table.name, odd.column) for table in tables for odd in table.odd if odd.oddity is Oddity.NOT_ASCII}
    return frozenset((table.name, column) for table, column in doubtful_texts(catalog)) - others


def _prediction(plan: Plan, tables: Sequence[TableFacts], paces: Mapping[Name, Pace]) -> Prediction:
    """The file's size, and how long the move takes at the pace at which the samples came."""
    seconds = _START_SECONDS
    for table in tables:
        pace = paces.get(table.name, Pace())
        each = pace.sent * _NATIVE_MOVE if native.CORE else (pace.sent + pace.decoded) * _PYTHON_MOVE
        seconds += max(table.rows, 0) * each
    return Prediction(
        bytes=schema_bytes(plan) + sum(table.predicted for table in tables),
        seconds=seconds,
        rows=sum(max(table.rows, 0) for table in tables),
        road="native" if native.CORE else "python",
    )
