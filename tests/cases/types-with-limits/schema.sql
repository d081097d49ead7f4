CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', '');
CREATE TABLE t (id integer PRIMARY KEY, v varchar(3), c char(3), b boolean NOT NULL, m mood, n numeric(5,2), big numeric(20,2), t text);
INSERT INTO t VALUES (1, 'abc', 'ab', true, 'sad', 1.5, 1.5, 'x'), (2, '日本語', '日', false, '', NULL, NULL, NULL);
