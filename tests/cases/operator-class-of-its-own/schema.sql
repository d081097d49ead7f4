-- What is equal to a unique index is its operator class's business.
CREATE FUNCTION parity(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT ($1 % 2) - ($2 % 2)';
CREATE FUNCTION same(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = $2 % 2';
CREATE FUNCTION less(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 < $2 % 2';
CREATE OPERATOR ==== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = same);
CREATE OPERATOR <<<< (LEFTARG = integer, RIGHTARG = integer, FUNCTION = less);
CREATE OPERATOR CLASS of_parity FOR TYPE integer USING btree AS
  OPERATOR 1 <<<<, OPERATOR 3 ====, FUNCTION 1 parity(integer, integer);
CREATE TABLE t (id integer, name text);
CREATE UNIQUE INDEX one_of_each ON t (id of_parity);
CREATE UNIQUE INDEX by_name ON t (name text_pattern_ops);
INSERT INTO t VALUES (1, 'a'), (2, 'b');
