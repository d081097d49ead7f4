-- The columns of every table and view, in order, with the sequence that feeds each: its own, or the one its default calls.
SELECT a.attrelid::int8 AS table,
       a.attname AS name,
       a.atttypid::int8 AS type,
       a.atttypmod AS typmod,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_text,
       a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k  -- a NOT NULL that is NOT VALID (PostgreSQL 18)
                                     WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated
                                       AND k.conkey = ARRAY[a.attnum]) AS not_null,
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default,
       CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS generated,
       CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
       CASE WHEN a.attcollation <> t.typcollation AND coalesce(co.collcollate, '') NOT IN ('C', 'POSIX')
             AND co.collprovider <> 'b' THEN co.collname END AS collation,  -- those sort by code point, as SQLite does
       coalesce(NOT co.collisdeterministic, false) AS fuzzy,
       coalesce(co.collprovider = 'd', false) AS sorted,
       s.nspname AS sequence_schema,
       s.relname AS sequence_name
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v')
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
  LEFT JOIN LATERAL (
        SELECT sn.nspname, sc.relname
          FROM pg_catalog.pg_depend p
          JOIN pg_catalog.pg_class sc ON sc.relkind = 'S'
           AND sc.oid = CASE WHEN p.classid = 'pg_catalog.pg_attrdef'::regclass THEN p.refobjid ELSE p.objid END
          JOIN pg_catalog.pg_namespace sn ON sn.oid = sc.relnamespace
         WHERE (p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.objid = d.oid
                AND p.refclassid = 'pg_catalog.pg_class'::regclass)
            OR (p.classid = 'pg_catalog.pg_class'::regclass AND p.refclassid = 'pg_catalog.pg_class'::regclass
                AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i')
         ORDER BY 1, 2 LIMIT 1) s ON true
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift')
 ORDER BY a.attrelid, a.attnum;
