CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE t (id integer PRIMARY KEY, a text COLLATE blind UNIQUE, b text COLLATE blind CHECK (b = 'x'));
INSERT INTO t VALUES (1, 'a', 'X');
