"""What becomes of each object of the source, one line each: the plan, told object by object."""

from __future__ import annotations

from liteshift.assessment import Fate, ObjectFate
from liteshift.catalog import Catalog, Table
from liteshift.plan import Finding, Plan, Severity, TablePlan

_FATES = {Severity.NOTE: Fate.NOTED, Severity.LOSS: Fate.LOST, Severity.REFUSAL: Fate.REFUSED}
_RANK = list(Fate)
_KINDS = ("table", "column", "default", "generated column", "sequence", "primary key", "unique", "foreign key", "check")
_SAME = {"exclusion constraint": "exclusion"}  # a constraint's kind, by two names

Objects = dict[tuple[str, str], ObjectFate]


def fates(plan: Plan, catalog: Catalog) -> tuple[ObjectFate, ...]:
    """Every object of the source that the plan knows of, tables and what stands on them first."""
    objects: Objects = {}
    tables = {table.name: table for table in catalog.tables}
    for item in plan.tables:
        _add_table(objects, item, tables[item.source])
    for view in plan.views:
        _add(objects, "view", str(view.source), Fate.CARRIED, f"{view.target}, if it gives the same rows on both sides")
    for finding in plan.findings:
        _add_finding(objects, finding)
    order = {kind: number for number, kind in enumerate(_KINDS)}
    return tuple(sorted(objects.values(), key=lambda item: (order.get(item.kind, len(order)), item.kind)))


def _add_table(objects: Objects, plan: TablePlan, table: Table) -> None:
    name = str(plan.source)
    _add(objects, "table", name, Fate.CARRIED, plan.target)
    for column, planned in zip(table.columns, plan.columns, strict=True):
        subject = f"{name}.{column.name}"
        _add(objects, "column", subject, Fate.CARRIED, f"{planned.declared}, stored as {planned.form}")
        if column.generated is not None:
            _add(objects, "generated column", subject, Fate.CARRIED, planned.generated)
        elif column.default is not None and column.sequence is None:
            default = next((rule for rule in planned.rules if rule.startswith("DEFAULT")), "")
            _add(objects, "default", subject, Fate.CARRIED if default else Fate.LOST, default)
    if plan.sequence is not None:
        _add(objects, "sequence", f"{name}.{plan.key[0]}", Fate.CARRIED, "AUTOINCREMENT")
    for part in plan.objects:
        fate = Fate.CARRIED if part.becomes else Fate.LOST
        _add(objects, part.kind, f"{name}.{part.name}", fate, part.becomes)


def _add_finding(objects: Objects, finding: Finding) -> None:
    kind = _SAME.get(finding.kind, finding.kind)
    detail = f"{finding.what}: {finding.why}"
    if kind == "index" and ("unique index", finding.subject) in objects:
        kind = "unique index"
    known = objects.get((kind, finding.subject))
    fate = _FATES[finding.severity]
    if known is not None and known.fate is not Fate.CARRIED:
        said = detail if known.detail in ("", detail) else f"{known.detail}; {detail}"
        fate, detail = max(fate, known.fate, key=_RANK.index), said
    _add(objects, kind, finding.subject, fate, detail)


def _add(objects: Objects, kind: str, name: str, fate: Fate, detail: str) -> None:
    objects[kind, name] = ObjectFate(kind, name, fate, detail)
