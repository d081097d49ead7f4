-- Where pg_stat_statements' own view stands, and which columns this version of it has.
SELECT n.nspname AS schema, array_agg(a.attname::text) AS columns,
       EXISTS (SELECT FROM pg_catalog.pg_class i
                WHERE i.relname = 'pg_stat_statements_info' AND i.relnamespace = n.oid) AS has_info
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
                             AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'e'
  JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relname = 'pg_stat_statements'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE e.extname = 'pg_stat_statements'
 GROUP BY n.nspname, n.oid;
