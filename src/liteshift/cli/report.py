"""What plans, moves and verdicts look like."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from liteshift import native
from liteshift.cli.render import cell, count, size, table
from liteshift.plan import Finding, Plan, Severity, TablePlan
from liteshift.reports import MigrateReport, Verdict, VerifiedTable

_HEADINGS = {
    Severity.REFUSAL: ("refused: the move can't begin", "bold red"),
    Severity.LOSS: ("lost: say --accept-losses once you can do without", "bold yellow"),
    Severity.NOTE: ("good to know: nothing is lost", "bold"),
}

_PARTS = {
    "copy": "copy the rows",
    "mend": "bring kept rows up to date",
    "index": "indexes",
    "check": "checks",
    "seal": "statistics and fsync",
}


def print_plan(out: Console, plan: Plan, *, details: bool, accepted: bool = False) -> None:
    """The plan: every table, with details every column, constraint and index, and everything that is lost.

    Args:
        accepted: the user can do without what is lost.
    """
    out.print(
        cell(f"{plan.database} (PostgreSQL {plan.server_version // 10000}) in the profile {plan.profile}", "bold")
    )
    overview = table("table", "becomes", ">columns", ">indexes", ">rows (estimate)", ">size there")
    for item in plan.tables:
        rows = f"{item.rows:,}" if item.rows >= 0 else "unknown"
        numbers = (str(len(item.columns)), str(len(item.indexes)), rows, size(item.bytes))
        overview.add_row(cell(str(item.source)), cell(item.target), *numbers)
    out.print(overview)
    if details:
        for item in plan.tables:
            _print_table(out, item)
        for view in plan.views:
            out.print()
            out.print(cell(f"the view {view.source} becomes {view.target}, if it gives the same rows on both", "bold"))
            for line in view.create.splitlines():
                out.print(cell(f"  {line}"))
    print_findings(out, plan.findings, accepted=accepted)


def _print_table(out: Console, item: TablePlan) -> None:
    out.print()
    out.print(cell(f"{item.source} becomes {item.target}", "bold"))
    columns = table("column", "type", "becomes", "stored as", "rules")
    for column in item.columns:
        name = column.source if column.source == column.target else f"{column.source} → {column.target}"
        rowid = item.key == (column.target,) and any(part.becomes == "the rowid" for part in item.objects)
        rules = " ".join(rule for rule in column.rules if not rowid or not rule.startswith("DEFAULT"))
        declared = "INTEGER" if rowid else column.declared
        columns.add_row(*map(cell, (name, column.source_type, declared, column.form, rules)))
    out.print(columns)
    if item.objects:
        objects = table("constraint or index", "kind", "becomes")
        for part in item.objects:
            objects.add_row(cell(part.name), cell(part.kind), cell(part.becomes or "not carried"))
        out.print(objects)


def print_findings(out: Console, findings: tuple[Finding, ...], *, accepted: bool = False) -> None:
    """Refusals, losses and notes, each with its reason and the way round it; what is alike stands together."""
    for severity, (heading, style) in _HEADINGS.items():
        chosen = [finding for finding in findings if finding.severity is severity]
        if not chosen:
            continue
        alike: dict[tuple[str, str, str, str], list[Finding]] = {}
        for item in chosen:
            alike.setdefault((item.kind, item.what, item.why, item.instead), []).append(item)
        if accepted and severity is Severity.LOSS:
            heading = "lost, which you accept"
        out.print()
        out.print(cell(f"{len(chosen)} {heading}", style))
        for (kind, what, why, instead), items in alike.items():
            count = f"{len(items)} × " if len(items) > 1 else ""
            out.print(cell(f"  {count}{kind} {what}: {why}" + (f" ({instead})" if instead else "")))
            named = [item.named for item in items]
            for line in named if any(item.was for item in items) else [", ".join(named)]:
                out.print(Padding(cell(line, "dim"), (0, 0, 0, 6), expand=False))


def print_report(out: Console, report: MigrateReport) -> None:
    """What a move did."""
    out.print()
    done = table("table", ">rows", ">rejected", ">seconds", ">rows/s", "copied by", "verified", "by")
    verified = {item.source: item for item in report.verdict.tables}
    for item in report.copied:
        rate = f"{item.rows / item.seconds:,.0f}" if item.seconds > 0 else ""
        verdict = verified[item.source]
        numbers = (f"{item.rows:,}", f"{item.rejected:,}", f"{item.seconds:.2f}", rate)
        style = "green" if verdict.equal else "bold red"
        done.add_row(cell(item.source), *numbers, _road(item.road), cell(_verdict(verdict), style), _road(verdict.road))
    out.print(done)
    if report.plan.views:
        names = ", ".join(view.target for view in report.plan.views)
        out.print(cell(f"views that give the same rows on both sides: {names}"))
    dropped = [
        item for item in report.plan.of(Severity.LOSS) if item.kind == "view" and item.why.startswith("translated")
    ]
    print_findings(out, tuple(dropped))
    _print_kept(out, report)
    _print_parts(out, report)
    out.print(cell(f"{report.rows:,} rows in {len(report.copied)} tables, {size(report.bytes)}"))
    if native.CORE is None:
        out.print(cell(f"{native.described()}: all rows went through Python, which takes several times as long", "dim"))
    if report.rejects_file:
        out.print(
            cell(f"{report.rejected:,} rows can't be carried; each is named in {report.rejects_file}", "bold yellow")
        )
    for orphan in report.orphans[:10]:
        out.print(cell(f"without its parent, which was rejected: {orphan}", "yellow"))
    print_differences(out, report.verdict)


def _print_kept(out: Console, report: MigrateReport) -> None:
    """What an interrupted run had brought already."""
    for item in report.copied:
        if item.kept:
            mended = f", and {item.mended:,} changes since were made up for" if item.mended else ""
            out.print(cell(f"kept from the interrupted run: {item.kept:,} rows of {item.source}{mended}"))


def _print_parts(out: Console, report: MigrateReport) -> None:
    """How long each part took, and its share of all."""
    parts = table("part", ">seconds", ">share")
    for stage, seconds in report.seconds.items():
        parts.add_row(cell(_PARTS.get(stage, stage)), f"{seconds:.2f}", f"{report.shares[stage]:.0%}")
    parts.add_row(cell("all"), f"{sum(report.seconds.values()):.2f}", "")
    out.print(parts)


def print_verdict(out: Console, verdict: Verdict) -> None:
    """What verify found."""
    found = table("table", ">rows there", ">rows here", "verdict", "by")
    for item in verdict.tables:
        style = "green" if item.equal else "bold red"
        numbers = (f"{item.source_rows:,}", f"{item.target_rows:,}")
        found.add_row(cell(item.source), *numbers, cell(_verdict(item), style), _road(item.road))
    out.print(found)
    print_differences(out, verdict)
    word = "equal" if verdict.equal else "NOT equal"
    if rejected := sum(item.rejected for item in verdict.tables):
        word += f" but for {count(rejected, 'row')} that can't be carried"
    style = "bold green" if verdict.equal else "bold red"
    summary = f"{word}: {verdict.rows:,} rows in {len(verdict.tables)} tables, at position {verdict.position}"
    out.print(cell(summary, style))


def print_differences(out: Console, verdict: Verdict) -> None:
    """Each row that differs, down to the column, with both values."""
    for item in verdict.tables:
        for found in item.differences:
            key = ", ".join(f"{name}={value}" for name, value in found.key.items())
            out.print(cell(f"{found.kind}: {item.source} {key}", "red"))
            for name, (there, here) in found.columns.items():
                out.print(cell(f"    {name}: {_value(there)} in PostgreSQL, {_value(here)} in SQLite"))
        if item.partial:
            out.print(cell(f"so many rows of {item.source} differ that only some of them were looked at", "red"))
        elif item.more:
            out.print(cell(f"there are more in {item.source}; --limit shows more of them", "red"))


def _value(text: str | None) -> str:
    return "NULL" if text is None else repr(text if len(text) <= 200 else text[:200] + "…")


def _road(road: str) -> Text:
    return cell("the native core" if road == "native" else "Python")


def _verdict(item: VerifiedTable) -> str:
    if item.equal:
        return "equal" if not item.rejected else f"equal but for {item.rejected:,} rejected"
    if item.more:
        return f"{len(item.differences):,} or more rows differ"
    return f"{count(len(item.differences), 'row')} {'differs' if len(item.differences) == 1 else 'differ'}"
