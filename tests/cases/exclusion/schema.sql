CREATE TABLE t (id integer PRIMARY KEY, during tsrange, EXCLUDE USING gist (during WITH &&));
INSERT INTO t VALUES (1, '[2024-01-01,2024-01-02)');
