-- Triggers of the user's, with the bodies of their functions; a partition's inherited ones are its root's.
SELECT t.tgrelid::int8 AS table,
       n.nspname AS schema,
       c.relname AS table_name,
       t.tgname AS name,
       (t.tgtype & 2) <> 0 AS before,
       (t.tgtype & 1) <> 0 AS row,
       array_remove(ARRAY[CASE WHEN (t.tgtype & 4) <> 0 THEN 'insert' END, CASE WHEN (t.tgtype & 8) <> 0 THEN 'delete' END,
                          CASE WHEN (t.tgtype & 16) <> 0 THEN 'update' END,
                          CASE WHEN (t.tgtype & 32) <> 0 THEN 'truncate' END], NULL) AS events,
       ARRAY(SELECT a.attname::text FROM unnest(t.tgattr) u(num)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = u.num) AS columns,
       t.tgqual IS NOT NULL AS condition,
       t.tgenabled IN ('O', 'A') AS enabled,
       l.lanname AS language,
       p.prosrc AS source,
       CASE WHEN t.tgnargs = 1  -- each ends in a zero byte
            THEN convert_from(substring(t.tgargs FROM 1 FOR length(t.tgargs) - 1), getdatabaseencoding()) END AS argument,
       pg_catalog.pg_get_triggerdef(t.oid) AS definition
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
  JOIN pg_catalog.pg_namespace f ON f.oid = p.pronamespace AND f.nspname <> 'liteshift'  -- ours of a live move
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE NOT t.tgisinternal
   AND coalesce((to_jsonb(t) ->> 'tgparentid')::oid, 0) = 0
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY t.tgrelid, t.tgname;
