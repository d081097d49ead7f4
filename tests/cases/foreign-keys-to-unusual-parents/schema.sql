CREATE TABLE blind (id integer, UNIQUE NULLS NOT DISTINCT (id));
INSERT INTO blind VALUES (1), (NULL);
CREATE TABLE to_blind (id integer PRIMARY KEY, b integer REFERENCES blind (id));
INSERT INTO to_blind VALUES (1, 1), (2, NULL);
CREATE TABLE indexed (id integer, other integer);
CREATE UNIQUE INDEX indexed_id ON indexed (id DESC) INCLUDE (other);
INSERT INTO indexed VALUES (1, 1);
CREATE TABLE to_indexed (id integer PRIMARY KEY, i integer REFERENCES indexed (id));
INSERT INTO to_indexed VALUES (1, 1);
CREATE TABLE wide (id bigint PRIMARY KEY, t text UNIQUE, c char(4) UNIQUE);
INSERT INTO wide VALUES (9007199254740993, 'ab', 'ab');
CREATE TABLE narrow (id integer PRIMARY KEY, v varchar(9) REFERENCES wide (t), c char(6) REFERENCES wide (c));

INSERT INTO narrow VALUES (1, 'ab', 'ab');
CREATE TABLE decimals (id numeric(30,10) PRIMARY KEY);
INSERT INTO decimals VALUES (1.5), (12345678901234567890.0000000001);
CREATE TABLE to_decimals (id integer PRIMARY KEY, d numeric(30,10) REFERENCES decimals);
INSERT INTO to_decimals VALUES (1, 1.5), (2, 12345678901234567890.0000000001);
