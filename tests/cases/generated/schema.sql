CREATE TABLE t (id integer PRIMARY KEY, a integer, b text,
  twice integer GENERATED ALWAYS AS (a * 2) STORED UNIQUE, named text GENERATED ALWAYS AS (coalesce(b, '') || '!') STORED NOT NULL,
  is_big boolean GENERATED ALWAYS AS (a > 100) STORED, folded text GENERATED ALWAYS AS (lower(b)) STORED,
  ratio numeric GENERATED ALWAYS AS (a / 3.0) STORED, fixed varchar(3) GENERATED ALWAYS AS (b) STORED);
INSERT INTO t (id, a, b) VALUES (1, 5, 'abc'), (2, NULL, NULL);
CREATE TABLE keyed (a integer, id integer GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY);
INSERT INTO keyed VALUES (1), (2);
CREATE TABLE keyed_pair (a integer, b integer GENERATED ALWAYS AS (a + 1) STORED, PRIMARY KEY (a, b));
INSERT INTO keyed_pair VALUES (1), (2);
CREATE TABLE child (id integer PRIMARY KEY, k integer REFERENCES keyed (id));
INSERT INTO child VALUES (1, 2);
CREATE INDEX by_twice ON t (twice) WHERE is_big;
