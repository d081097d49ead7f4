-- Everything else a user may have made, so that nothing is left behind in silence; an extension's parts are its own.
WITH own AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'),
     spaces AS (SELECT oid, nspname FROM pg_catalog.pg_namespace
                 WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'liteshift') AND nspname NOT LIKE 'pg\_%')
SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
       n.nspname AS schema, c.relname AS name, NULL::name AS table_schema, NULL::name AS table_name,
       CASE WHEN c.relkind = 'm' THEN pg_catalog.pg_get_viewdef(c.oid) ELSE '' END AS definition
  FROM pg_catalog.pg_class c JOIN spaces n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('m', 'f') AND c.relpersistence <> 't'
   AND ('pg_catalog.pg_class'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' WHEN 'w' THEN 'window function'
                      ELSE 'function' END,
       n.nspname, p.proname, NULL, NULL,
       p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')'
  FROM pg_catalog.pg_proc p JOIN spaces n ON n.oid = p.pronamespace
 WHERE ('pg_catalog.pg_proc'::regclass::oid, p.oid) NOT IN (SELECT classid, objid FROM own)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d  -- a range type brings constructors of its own
                    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
UNION ALL
SELECT 'rule', n.nspname, r.rulename, n.nspname, c.relname, pg_catalog.pg_get_ruledef(r.oid)
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN spaces n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN'
   AND ('pg_catalog.pg_class'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'policy', n.nspname, p.polname, n.nspname, c.relname, ''
  FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid JOIN spaces n ON n.oid = c.relnamespace
UNION ALL
SELECT 'extension', n.nspname, e.extname, NULL, NULL, 'version ' || e.extversion
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname <> 'plpgsql'
UNION ALL
SELECT 'event trigger', '', e.evtname, NULL, NULL, e.evtevent FROM pg_catalog.pg_event_trigger e
 WHERE e.evtfoid NOT IN (SELECT oid FROM pg_catalog.pg_proc
                          WHERE pronamespace IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'liteshift'))
   AND ('pg_catalog.pg_event_trigger'::regclass::oid, e.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'statistics object', n.nspname, s.stxname, NULL, NULL, pg_catalog.pg_get_statisticsobjdef(s.oid)
  FROM pg_catalog.pg_statistic_ext s JOIN spaces n ON n.oid = s.stxnamespace
UNION ALL
SELECT 'text search configuration', n.nspname, t.cfgname, NULL, NULL, ''
  FROM pg_catalog.pg_ts_config t JOIN spaces n ON n.oid = t.cfgnamespace
 WHERE ('pg_catalog.pg_ts_config'::regclass::oid, t.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'collation', n.nspname, o.collname, NULL, NULL, ''
  FROM pg_catalog.pg_collation o JOIN spaces n ON n.oid = o.collnamespace
 WHERE ('pg_catalog.pg_collation'::regclass::oid, o.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'publication', '', p.pubname, NULL, NULL, '' FROM pg_catalog.pg_publication p
 WHERE p.pubname NOT LIKE 'liteshift\_%'
UNION ALL
SELECT 'subscription', '', s.subname, NULL, NULL, '' FROM pg_catalog.pg_subscription s
 WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
UNION ALL
SELECT 'foreign server', '', s.srvname, NULL, NULL, '' FROM pg_catalog.pg_foreign_server s
UNION ALL
SELECT 'operator', n.nspname, o.oprname, NULL, NULL, o.oid::regoperator::text
  FROM pg_catalog.pg_operator o JOIN spaces n ON n.oid = o.oprnamespace
 WHERE ('pg_catalog.pg_operator'::regclass::oid, o.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'operator class', n.nspname, c.opcname, NULL, NULL, ''
  FROM pg_catalog.pg_opclass c JOIN spaces n ON n.oid = c.opcnamespace
 WHERE ('pg_catalog.pg_opclass'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'text search dictionary', n.nspname, t.dictname, NULL, NULL, ''
  FROM pg_catalog.pg_ts_dict t JOIN spaces n ON n.oid = t.dictnamespace
 WHERE ('pg_catalog.pg_ts_dict'::regclass::oid, t.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'text search parser', n.nspname, t.prsname, NULL, NULL, ''
  FROM pg_catalog.pg_ts_parser t JOIN spaces n ON n.oid = t.prsnamespace
 WHERE ('pg_catalog.pg_ts_parser'::regclass::oid, t.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'conversion', n.nspname, c.conname, NULL, NULL, ''
  FROM pg_catalog.pg_conversion c JOIN spaces n ON n.oid = c.connamespace
 WHERE ('pg_catalog.pg_conversion'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'language', '', l.lanname, NULL, NULL, '' FROM pg_catalog.pg_language l
 WHERE l.oid >= 16384 AND ('pg_catalog.pg_language'::regclass::oid, l.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'foreign data wrapper', '', w.fdwname, NULL, NULL, '' FROM pg_catalog.pg_foreign_data_wrapper w
 WHERE ('pg_catalog.pg_foreign_data_wrapper'::regclass::oid, w.oid) NOT IN (SELECT classid, objid FROM own)
UNION ALL
SELECT 'cast', '', s.typname, NULL, NULL, c.castsource::regtype || ' as ' || c.casttarget::regtype
  FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_type s ON s.oid = c.castsource
 WHERE c.oid >= 16384
   AND ('pg_catalog.pg_cast'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM own)
ORDER BY 1, 2, 3, 6;
