CREATE TABLE empty (id integer PRIMARY KEY, a text);
CREATE TABLE columnless ();
INSERT INTO columnless DEFAULT VALUES;
CREATE UNLOGGED TABLE fast (id integer PRIMARY KEY);
INSERT INTO fast VALUES (1);
CREATE TABLE dropped (gone text, id integer PRIMARY KEY, gone_too text, a text);
INSERT INTO dropped VALUES ('x', 1, 'y', 'z');
ALTER TABLE dropped DROP gone, DROP gone_too, ADD later text DEFAULT 'filled';


CREATE TYPE row_kind AS (a integer, b text);
CREATE TABLE typed OF row_kind;
INSERT INTO typed VALUES (1, 'x');
CREATE TABLE nested (id integer PRIMARY KEY, k row_kind, ks row_kind[], r int4range, ip inet, bits bit(3), lsn pg_lsn);
INSERT INTO nested VALUES (1, '(1,"a b")', '{"(1,x)",NULL}', '[1,5)', '10.0.0.1', B'101', '0/1');
