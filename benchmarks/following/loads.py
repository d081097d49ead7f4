"""What is written on the source while nobody follows, so that each way then has the same log to read."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = """
CREATE TABLE narrow (id bigint PRIMARY KEY, n int, t text, at timestamptz);
CREATE TABLE mixed (id bigint PRIMARY KEY, a int, b smallint, ok boolean, price numeric(12,2), f double precision,
  name varchar(60), note text, u uuid, d date, at timestamptz, j jsonb);
CREATE TABLE lagging (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT clock_timestamp());
CREATE PROCEDURE small(most int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..most LOOP
    INSERT INTO narrow VALUES (i, i, 'transaction ' || i, clock_timestamp());
    IF i % 3 = 0 THEN UPDATE narrow SET n = n + 1 WHERE id = i - 2; END IF;
    IF i % 10 = 0 THEN DELETE FROM narrow WHERE id = i - 5; END IF;
    COMMIT;
  END LOOP;
END $$;
"""
TABLES = ("narrow", "mixed", "lagging")


@dataclass(frozen=True)
class Load:
    """Some work.

    Attributes:
        what: what it is, for a person.
        count: how many rows, or transactions.
        statement: the work, with `{count}`.
        before: what is there when the file is copied; nothing where it is empty.
    """

    what: str
    count: int
    statement: str
    before: str = ""

    def statements(self, scale: float) -> tuple[str, str]:
        """What is there before, and the work, with this times the rows."""
        count = max(1, round(self.count * scale))
        return self.before.format(count=count) or "SELECT 1", self.statement.format(count=count)


NARROW = """INSERT INTO narrow
SELECT g, g % 1000, 'name ' || g, timestamptz '2024-01-01' + g * interval '1.000001 s'
  FROM generate_series(1, {count}) g"""

LOADS = {
    "insert": Load("one transaction of INSERTs, 4 columns", 500_000, NARROW),
    "mixed": Load(
        "one transaction of INSERTs, 12 columns of all kinds",
        200_000,
        """INSERT INTO mixed
        SELECT g, g % 1000, g % 100, g % 3 = 0, (g * 37 % 1000000) / 100.0, g / 7.0::float8, 'name ' || md5(g::text),
               CASE WHEN g % 5 = 0 THEN NULL ELSE repeat('x', g % 50) END, md5(g::text)::uuid,
               date '2000-01-01' + g % 9000, timestamptz '2024-01-01' + g * interval '1 s', jsonb_build_object('k', g)
          FROM generate_series(1, {count}) g""",
    ),
    "update": Load("one transaction of UPDATEs, 4 columns", 250_000, "UPDATE narrow SET n = n + 1", NARROW),
    "small": Load("small transactions: INSERT, UPDATE, DELETE", 120_000, "CALL small({count})"),
}
LARGE = Load("one transaction", 2_000_000, NARROW)
