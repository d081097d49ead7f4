-- Tables, partitioned roots and partitions, in the user's schemas; an extension's own tables are not the user's.
SELECT c.oid::int8 AS oid,
       n.nspname AS schema,
       c.relname AS name,
       c.relkind = 'p' AS partitioned,
       c.relispartition AS partition,
       CASE WHEN p.partstrat IS NULL THEN false
            WHEN p.partstrat <> 'h' THEN p.partdefid = 0  -- no default partition
            ELSE (SELECT coalesce(sum(1.0 / substring(pg_catalog.pg_get_expr(l.relpartbound, l.oid)
                                                      FROM 'modulus (\d+)')::int), 0) < 0.999999
                    FROM pg_catalog.pg_inherits h JOIN pg_catalog.pg_class l ON l.oid = h.inhrelid
                   WHERE h.inhparent = c.oid) END AS gaps,
       c.reltuples::int8 AS rows,
       CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END AS bytes,
       c.relrowsecurity AS row_security,
       c.relpersistence = 'u' AS unlogged,
       CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' ELSE 'nothing' END
         AS replica_identity,
       CASE WHEN c.relreplident = 'i' THEN
         (SELECT array_agg(a.attname::text ORDER BY a.attnum)
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
           WHERE i.indexrelid = pg_catalog.pg_get_replica_identity_index(c.oid)) END AS replica_columns,
       (SELECT array_agg(i.inhparent::int8 ORDER BY i.inhseqno)
          FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS parents
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = c.oid
 WHERE c.relkind IN ('r', 'p')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift')
   AND n.nspname NOT LIKE 'pg\_toast%'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY n.nspname, c.relname;
