-- What the role we are may do with each table and sequence of the user's.
SELECT n.nspname AS schema,
       c.relname AS name,
       c.relkind = 'S' AS sequence,
       has_schema_privilege(n.oid, 'USAGE') AS usage,
       CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, SELECT')
            ELSE has_table_privilege(c.oid, 'SELECT')
                 OR (SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT'))
                       FROM pg_catalog.pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) IS TRUE
       END AS select,
       pg_has_role(c.relowner, 'USAGE') AS owner,
       pg_get_userbyid(c.relowner)::text AS owner_name,
       c.relkind <> 'S' AND row_security_active(c.oid) AS hidden
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'S')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift')
   AND n.nspname NOT LIKE 'pg\_toast%'
 ORDER BY n.nspname, c.relname;
