CREATE TABLE t (id integer PRIMARY KEY, a integer, twice integer GENERATED ALWAYS AS (a * 2), named text GENERATED ALWAYS AS (lower('X' || a)) VIRTUAL);
INSERT INTO t (id, a) VALUES (1, 5), (2, NULL);
