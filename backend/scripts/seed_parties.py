"""Fill the service's database with parties for a demonstration or a measurement.

    python scripts/seed_parties.py --count 100000

The same count and seed make the same parties, on SQLite and on PostgreSQL: customers and vendors, one in ten inactive,
names in many scripts. What is there already stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import func, insert, select, text

from liteshift.app.engines import make_tool_engine
from liteshift.errors import LiteshiftError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import read_settings
from app.db import live_url
from app.folding import fold
from app.models import Party

ROWS_AT_A_TIME = 5000
FIRST_DAY = datetime(2023, 1, 1, tzinfo=UTC)
SECONDS = 365 * 24 * 3600

COMPANIES = (
    "Customer Company",
    "Acme Supplies Ltd",
    'O\'Brien & "Partners"',
    "100 % Juice",
    "snake_case Tools",
    "Back\\slash Hardware",
    "Müller & Söhne GmbH",
    "Lange Straße Handel",
    "Café São João",
    "Ærø Fisk ApS",
    "Łódź Spółka Akcyjna",
    "Çelik Ticaret",
    "İstanbul İthalat",
    "Công ty Sài Gòn",
    "Ελλάς Εμπορική",
    "Москва Торг",
    "Київ Постач",
    "תל אביב סחר",
    "شركة النور",
    "هند व्यापार",
    "मुंबई ट्रेडर्स",
    "กรุงเทพ การค้า",
    "株式会社サクラ",
    "上海贸易公司",
    "한국상사",
    "თბილისი ვაჭრობა",
    "Երևան Առևտուր",
    "አዲስ ንግድ",
    "🚲 Bicycles & Co",
)


def parties(first: int, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Parties by number, so that no name comes twice."""
    for number in range(first, first + count):
        random = Random(f"{seed} {number}")  # noqa: S311 - nobody needs to be surprised
        name = f"{random.choice(COMPANIES)} {number}"
        created_at = FIRST_DAY + timedelta(seconds=random.randrange(SECONDS), microseconds=random.randrange(10**6))
        is_active = number % 10 != 0
        yield {
            "name": name,
            "name_folded": fold(name),
            "type": random.choice(["customer", "vendor"]),
            "is_active": is_active,
            "created_at": created_at,
            # Who became inactive was changed then.
            "updated_at": created_at if is_active else created_at + timedelta(days=random.randrange(1, 300)),
        }


def main() -> None:
    """Add the parties to the live database."""
    parser = argparse.ArgumentParser(description="Fill the service's database with parties.")
    parser.add_argument("--count", type=int, default=100_000, help="how many to add (default: 100000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other parties (default: 1)")
    arguments = parser.parse_args()
    try:
        with live_url(read_settings()) as url:
            add(url, arguments.count, arguments.seed)
    except LiteshiftError as error:
        sys.exit(f"{error}. {error.hint or ''}")


def add(url: str, count: int, seed: int) -> None:
    """Add parties to a database, in one transaction; then see that queries are planned for what is there."""
    engine = make_tool_engine(url)
    with engine.begin() as connection:
        first = connection.scalar(select(func.coalesce(func.max(Party.id), 0) + 1))
        rows = parties(first or 1, count, seed)
        while batch := list(islice(rows, ROWS_AT_A_TIME)):
            connection.execute(insert(Party), batch)
    # PostgreSQL counts in the index alone only what was vacuumed since it was written.
    how = "ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM (ANALYZE)"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"{how} {Party.__tablename__}"))
    print(f"{count:,} parties added to {engine.url.render_as_string(hide_password=True)}")


if __name__ == "__main__":
    main()
