CREATE COLLATION german (provider = icu, locale = 'de');
CREATE TABLE t (id integer PRIMARY KEY, a text COLLATE "C", b text COLLATE "POSIX", c text COLLATE german);
INSERT INTO t VALUES (1, 'a', 'b', 'c');
CREATE INDEX by_c ON t (c);
CREATE INDEX by_a ON t (a);
