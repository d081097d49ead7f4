CREATE TABLE t (id integer PRIMARY KEY, a integer CHECK (a > 0), b text CHECK (b <> ''), c numeric(10,2) CHECK (c BETWEEN 0 AND 100),
  d date, e date, f boolean, g text NOT NULL, h text CHECK (h IN ('x', 'y')), i timestamptz CHECK (i > '2000-01-01 00:00:00+00'),
  j double precision CHECK (j <> 0.1), k text CHECK (k ~ '^[a-z]+$'), l text CHECK (length(btrim(l)) > 0),
  CONSTRAINT "in order" CHECK (d <= e), CONSTRAINT either CHECK ((a IS NULL) <> (b IS NULL)), CHECK (f OR a IS NULL OR a < 50));
INSERT INTO t VALUES (1, 1, NULL, 0.10, '2024-01-01', '2024-01-02', true, '', 'x', '2024-01-01+00', 1, 'abc', 'a');
INSERT INTO t VALUES (2, NULL, 'b', NULL, NULL, NULL, NULL, 'g', NULL, NULL, NULL, NULL, NULL);
ALTER TABLE t ADD CONSTRAINT unchecked CHECK (a <> 1) NOT VALID;
ALTER TABLE t ADD CONSTRAINT local CHECK (id < 1000) NO INHERIT;
