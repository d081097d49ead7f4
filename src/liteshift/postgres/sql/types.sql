-- The type of every column, and whatever that is made of: the base of a domain, the element of an array, the fields of a
-- composite; domains bring their rules. The system's own hundreds, which nobody's columns have, are left out.
WITH RECURSIVE used AS (
SELECT a.atttypid AS oid
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift')
 UNION
SELECT part.oid
  FROM used u
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
 CROSS JOIN LATERAL (
       SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL
       SELECT t.typelem WHERE t.typoutput = 'pg_catalog.array_out'::regproc
        UNION ALL
       SELECT f.atttypid FROM pg_catalog.pg_attribute f
        WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped) AS part (oid)
)
SELECT t.oid::int8 AS oid,
       n.nspname AS schema,
       t.typname AS name,
       CASE WHEN t.typtype = 'b' AND t.typoutput = 'pg_catalog.array_out'::regproc THEN 'array'
            ELSE CASE t.typtype WHEN 'b' THEN 'base' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain'
                                WHEN 'e' THEN 'enum' WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange'
                                ELSE 'pseudo' END
       END AS kind,
       CASE WHEN t.typtype = 'd' THEN t.typbasetype
            WHEN t.typoutput = 'pg_catalog.array_out'::regproc THEN t.typelem
            ELSE 0 END::int8 AS base,
       t.typdelim AS delimiter,
       t.typtypmod AS typmod,
       t.typnotnull AS not_null,
       CASE WHEN t.typtype = 'd' THEN pg_catalog.pg_get_expr(t.typdefaultbin, 0) END AS default,
       (SELECT e.extname
          FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid
           AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e') AS extension,
       (SELECT array_agg(v.enumlabel::text ORDER BY v.enumsortorder)
          FROM pg_catalog.pg_enum v WHERE v.enumtypid = t.oid) AS labels,
       (SELECT json_agg(json_build_array(c.conname, CASE WHEN c.convalidated THEN pg_catalog.pg_get_expr(c.conbin, 0) END)
                        ORDER BY c.conname)
          FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c') AS checks,
       (SELECT json_agg(json_build_array(a.attname, a.atttypid::int8, a.atttypmod,
                                         coalesce(NOT o.collisdeterministic, false)) ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
         WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS fields
  FROM used u
  JOIN pg_catalog.pg_type t ON t.oid = u.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace;
