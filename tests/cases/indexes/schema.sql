CREATE TABLE t (id integer PRIMARY KEY, a integer, b text, c timestamptz, d jsonb, e integer[], f tsvector, g point, h boolean);
CREATE INDEX plain ON t (a);
CREATE INDEX descending ON t (a DESC, b ASC NULLS FIRST);
CREATE INDEX covering ON t (a) INCLUDE (b, c);
CREATE INDEX hashed ON t USING hash (b);
CREATE INDEX expressed ON t ((a + 1), (b || 'x'));
CREATE INDEX folded ON t (lower(b));
CREATE INDEX partial ON t (c) WHERE h AND a > 0;
CREATE INDEX partial_unknown ON t (c) WHERE b LIKE 'a%';
CREATE INDEX patterned ON t (b text_pattern_ops);
CREATE INDEX collated ON t (b COLLATE "C");
CREATE INDEX ginned ON t USING gin (d);
CREATE INDEX ginned_array ON t USING gin (e);
CREATE INDEX searched ON t USING gin (f);
CREATE INDEX gisted ON t USING gist (g);
CREATE INDEX ranged ON t USING brin (c);
CREATE INDEX member ON t ((d ->> 'name'));

INSERT INTO t (id, a, b) VALUES (1, 1, 'x'), (2, NULL, NULL);
