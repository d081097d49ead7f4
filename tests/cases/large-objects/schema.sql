CREATE DOMAIN lo AS oid;
CREATE TABLE docs (id integer PRIMARY KEY, "the body" lo, thumbs oid[]);
SELECT lo_from_bytea(4711, '\x00ff');
SELECT lo_from_bytea(4712, '');
INSERT INTO docs VALUES (1, 4711, '{4712}');
