CREATE TABLE "a""b; drop" ("a""b; drop" integer PRIMARY KEY, "%s" text, "line
break" text, U&"\001B[31mred" text, " " text, "--" text, "/*" integer CHECK ("/*" > 0), "'" text, "?" text, ":x" text, "{}" text, "\" text);
INSERT INTO "a""b; drop" VALUES (1, 'a', 'b', 'c', 'd', 'e', 1, 'g', 'h', 'i', 'j', 'k');
CREATE TABLE "select" ("from" integer PRIMARY KEY, "where" text UNIQUE, "order" integer REFERENCES "select", "group" boolean CHECK ("group"), "table" text);
CREATE INDEX "index" ON "select" ("table") WHERE "order" > 0;
INSERT INTO "select" VALUES (1, 'w', 1, true, 't');
CREATE TABLE "T" (id integer PRIMARY KEY, "A" text, a text);
CREATE TABLE t (id integer PRIMARY KEY, t integer REFERENCES "T");
INSERT INTO "T" VALUES (1, 'upper', 'lower');
INSERT INTO t VALUES (1, 1);
CREATE TABLE sqlite_sequence (id serial PRIMARY KEY, sqlite_rowid text);
INSERT INTO sqlite_sequence (sqlite_rowid) VALUES ('x');
CREATE TABLE "SQLITE_x" (rowid text, oid text, _rowid_ text);
INSERT INTO "SQLITE_x" VALUES ('a', 'b', 'c');
CREATE TABLE U&"ta\202Eble\200B" (id integer PRIMARY KEY);
CREATE TABLE "日本語日本語日本語日本語日本語日本語日本語" (id integer PRIMARY KEY, "É" text, "é" text);
INSERT INTO "日本語日本語日本語日本語日本語日本語日本語" VALUES (1, 'E', 'e');
CREATE INDEX "日本語" ON "日本語日本語日本語日本語日本語日本語日本語" ("É");
CREATE TABLE "main.t" (id integer PRIMARY KEY);
CREATE TABLE "temp" ("rowid" integer PRIMARY KEY);
INSERT INTO "temp" VALUES (5);
CREATE TYPE "e;--" AS ENUM ('a''); DROP TABLE t; --', '%s', '
');
CREATE TABLE enums (e "e;--" DEFAULT 'a''); DROP TABLE t; --', CONSTRAINT "c""'" CHECK (e <> '%s'));
INSERT INTO enums VALUES (DEFAULT), ('
');
