-- A field of a type that nobody knows, and unique rules over fields that are equal though their texts differ.
CREATE TYPE mystery AS (a integer, x xid);
CREATE TYPE floats AS (f float8);
CREATE TABLE t (id integer PRIMARY KEY, u mystery, many mystery[]);
CREATE TABLE keyed (f floats UNIQUE, more float8[] UNIQUE);
