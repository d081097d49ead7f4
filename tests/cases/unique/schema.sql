CREATE TABLE t (id integer PRIMARY KEY, a integer UNIQUE, b text, c text, d integer, e boolean, f numeric(30,5) UNIQUE,
  UNIQUE (b, c), CONSTRAINT blind UNIQUE NULLS NOT DISTINCT (c, d), CONSTRAINT late UNIQUE (d, e) DEFERRABLE INITIALLY DEFERRED);
CREATE UNIQUE INDEX partly ON t (b) WHERE e;
CREATE UNIQUE INDEX partly_null ON t (d) WHERE (c IS NULL AND a > 5);
CREATE UNIQUE INDEX trimmed ON t (btrim(b), d DESC) INCLUDE (c);
CREATE UNIQUE INDEX lengths ON t ((length(b) * 1000 + id));
CREATE UNIQUE INDEX blind_too ON t (b, a) NULLS NOT DISTINCT WHERE d > 100;
INSERT INTO t VALUES (1, 1, 'x', 'y', 1, true, 1.5), (2, NULL, 'x', NULL, 2, false, NULL), (3, NULL, NULL, NULL, 3, NULL, NULL), (4, 4, 'z', 'z', NULL, true, 2);
