-- Each table's size with its indexes, and the rows written to it since counting began; a partition counts for its root.
WITH RECURSIVE roots AS (
    SELECT c.oid, c.oid AS root FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    UNION ALL
    SELECT i.inhrelid, roots.root
      FROM roots
      JOIN pg_catalog.pg_inherits i ON i.inhparent = roots.oid
      JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition)
SELECT n.nspname AS schema,
       c.relname AS name,
       sum(s.n_tup_ins)::int8 AS inserted,
       sum(s.n_tup_upd)::int8 AS updated,
       sum(s.n_tup_del)::int8 AS deleted,
       coalesce(sum(pg_catalog.pg_total_relation_size(s.relid)), 0)::int8 AS bytes
  FROM pg_catalog.pg_stat_user_tables s
  JOIN roots r ON r.oid = s.relid
  JOIN pg_catalog.pg_class c ON c.oid = r.root
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 GROUP BY 1, 2
 ORDER BY sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del) DESC, 1, 2;
