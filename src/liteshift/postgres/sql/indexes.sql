-- Indexes that no constraint made, key by key; a partition's attached ones are its root's.
-- Those of an exclusion by equality alone are among them: it is a unique rule, whatever the method.
WITH exclusions AS (
  SELECT k.conindid
    FROM pg_catalog.pg_constraint k
   WHERE k.contype = 'x' AND NOT k.condeferrable AND NOT EXISTS (
         SELECT FROM unnest(k.conexclop) u(op) JOIN pg_catalog.pg_operator o ON o.oid = u.op
          WHERE o.oprname <> '=' OR o.oprnamespace <> 'pg_catalog'::regnamespace))
SELECT i.indrelid::int8 AS table,
       c.relname AS name,
       CASE WHEN i.indexrelid IN (SELECT conindid FROM exclusions) THEN 'btree' ELSE m.amname END AS method,
       i.indisunique OR i.indexrelid IN (SELECT conindid FROM exclusions) AS unique,
       i.indisvalid AS valid,
       pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct,
       (SELECT json_agg(json_build_object(
                 'column', a.attname,
                 'expression', CASE WHEN i.indkey[k - 1] = 0 THEN pg_catalog.pg_get_indexdef(i.indexrelid, k, false) END,
                 'descending', k <= i.indnkeyatts AND (i.indoption[k - 1] & 1) <> 0,
                 'nulls_first', k <= i.indnkeyatts AND (i.indoption[k - 1] & 2) <> 0,
                 'collation', CASE WHEN k <= i.indnkeyatts AND i.indcollation[k - 1] <> 0
                                    AND i.indcollation[k - 1] IS DISTINCT FROM a.attcollation
                                    AND NOT co.collisdeterministic THEN co.collname END,
                 'own_equality', k <= i.indnkeyatts AND NOT o.opcdefault
                                 AND NOT (o.opcnamespace = 'pg_catalog'::regnamespace AND o.opcname LIKE '%pattern\_ops'),
                 'included', k > i.indnkeyatts) ORDER BY k)
          FROM generate_series(1, i.indnatts) k
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1] AND a.attnum > 0
          LEFT JOIN pg_catalog.pg_collation co ON k <= i.indnkeyatts AND co.oid = i.indcollation[k - 1]
          LEFT JOIN pg_catalog.pg_opclass o ON k <= i.indnkeyatts AND o.oid = i.indclass[k - 1]) AS keys
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid AND t.relkind IN ('r', 'p', 'm')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
 WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift')
   AND n.nspname NOT LIKE 'pg\_toast%'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
                    WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
                      AND k.conindid NOT IN (SELECT conindid FROM exclusions))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)
 ORDER BY i.indrelid, c.relname;
