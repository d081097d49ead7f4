-- What the refusal says to do: their bytes in a column, and no large object is left.
CREATE TABLE docs (id integer PRIMARY KEY, body oid);
SELECT lo_from_bytea(4711, '\x00ff');
INSERT INTO docs VALUES (1, 4711), (2, NULL);
ALTER TABLE "public"."docs" ADD COLUMN bytes bytea; UPDATE "public"."docs" SET bytes = lo_get("body"); SELECT lo_unlink("body") FROM "public"."docs" WHERE "body" IS NOT NULL;
