-- An exclusion by equality alone is a unique rule, and is kept as one.
CREATE TABLE t (id integer PRIMARY KEY, a integer, b text, c boolean,
  EXCLUDE USING btree (a WITH =), CONSTRAINT both_of_them EXCLUDE (b WITH =, a WITH =) WHERE (c),
  CONSTRAINT later EXCLUDE (b WITH =) DEFERRABLE, EXCLUDE (id WITH =, (a + 1) WITH =));
INSERT INTO t VALUES (1, 1, 'x', true), (2, NULL, 'y', true), (3, NULL, NULL, false);
CREATE TABLE chars (c char(4), EXCLUDE USING hash (c WITH =));
INSERT INTO chars VALUES ('a'), ('b');
