-- Constraints of tables, with the names of their columns in key order; a partition's inherited ones are its root's.
-- An exclusion by equality alone is a unique rule, and stands among the indexes.
-- A key WITHOUT OVERLAPS (PostgreSQL 18) is an exclusion constraint; one with a PERIOD has no like in SQLite either.
SELECT k.conrelid::int8 AS table,
       k.conname AS name,
       CASE WHEN (to_jsonb(k) ->> 'conperiod')::bool THEN 'exclusion' ELSE
       CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign key'
                      WHEN 'c' THEN 'check' WHEN 'x' THEN 'exclusion' END END AS kind,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, pos)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num
              ORDER BY u.pos) AS columns,
       pg_catalog.pg_get_constraintdef(k.oid) AS definition,
       CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END AS expression,
       rn.nspname AS ref_schema,
       rc.relname AS ref_table,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(num, pos)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num
              ORDER BY u.pos) AS ref_columns,
       ARRAY(SELECT a.attname::text
               FROM jsonb_array_elements_text(coalesce(nullif(to_jsonb(k) -> 'confdelsetcols', 'null'), '[]')) u(num)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num::int) AS delete_columns,
       k.confupdtype AS on_update,
       k.confdeltype AS on_delete,
       k.confmatchtype = 'f' AS match_full,
       k.condeferrable AS deferrable,
       k.condeferred AS deferred,
       k.convalidated AS validated,
       coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) AS enforced,
       k.conparentid <> 0 OR (k.contype = 'c' AND c.relispartition AND k.coninhcount > 0) AS inherited,
       coalesce((SELECT (to_jsonb(i) ->> 'indnullsnotdistinct')::bool
                   FROM pg_catalog.pg_index i WHERE i.indexrelid = k.conindid AND k.contype = 'u'), false)
         AS nulls_not_distinct
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND c.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class rc ON rc.oid = k.confrelid AND k.contype = 'f'
  LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
 WHERE k.contype IN ('p', 'u', 'f', 'c', 'x')
   AND NOT (k.contype = 'x' AND NOT k.condeferrable AND NOT EXISTS (
            SELECT FROM unnest(k.conexclop) u(op) JOIN pg_catalog.pg_operator o ON o.oid = u.op
             WHERE o.oprname <> '=' OR o.oprnamespace <> 'pg_catalog'::regnamespace))
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift')
 ORDER BY k.conrelid, k.contype, k.conname;
