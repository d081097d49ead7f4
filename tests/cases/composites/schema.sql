CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE address AS (street text, zip char(5), since date, "the ""place"", (x)" point);
CREATE TYPE person AS (name text, home address, phones text[], born timestamptz, worth numeric(20,4), photo bytea);
CREATE TYPE ruled AS (m mood, p positive);
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN whole AS pair CHECK ((VALUE).a IS NOT NULL);
CREATE TABLE t (
  id integer PRIMARY KEY,
  home address DEFAULT '("Main, 1",12345,,)',
  owner person,
  past address[],
  rules ruled,
  made whole NOT NULL DEFAULT '(1,)'
);
INSERT INTO t (id) VALUES (1);
INSERT INTO t VALUES
 (2, ROW('', 'a', '2024-02-29', '(-0,NaN)'), ROW('é "x"', ROW(' ', NULL, NULL, NULL), '{a,NULL,"NULL"}', '2024-01-01', 1.5, '\x00'),
  ARRAY[ROW('a\b', '1', NULL, NULL), NULL]::address[], ROW('ok', 3), ROW(2, 'x')),
 (3, NULL, ROW(NULL, NULL, NULL, NULL, NULL, NULL), '[0:0]={"(,,,)"}', ROW(NULL, NULL), ROW(0, ''));
CREATE TABLE keyed (id integer PRIMARY KEY, p pair UNIQUE);
INSERT INTO keyed VALUES (1, '(1,a)'), (2, '(1,)'), (3, '(,)'), (4, NULL);
CREATE TABLE row_of_t (id integer PRIMARY KEY, k keyed);
INSERT INTO row_of_t SELECT id, k FROM keyed k;
