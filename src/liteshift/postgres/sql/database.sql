-- The database itself: name, server version, encoding, the order of its texts where it isn't that of the code points;
-- and how much there is of what no table shows: large objects, comments, relations that others than owner and we may use.
WITH own AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e')
SELECT current_database() AS database,
       current_setting('server_version_num')::int AS server_version,
       pg_encoding_to_char(d.encoding) AS encoding,
       coalesce(CASE coalesce(to_jsonb(d) ->> 'datlocprovider', 'c')
                WHEN 'c' THEN nullif(d.datcollate, 'POSIX')
                WHEN 'i' THEN coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate)
                END, 'C') AS collation,
       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
       (SELECT count(*) FROM pg_catalog.pg_description c
         WHERE c.objoid >= 16384 AND c.classoid <> 'pg_catalog.pg_extension'::regclass
           AND c.description NOT LIKE 'made by liteshift for a live move;%'
           AND (c.classoid, c.objoid) NOT IN (SELECT classid, objid FROM own)) AS comments,
       (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
           AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
           AND ('pg_catalog.pg_class'::regclass::oid, c.oid) NOT IN (SELECT classid, objid FROM own)
           AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner
                                                                 AND a.grantee <> current_user::regrole)) AS granted
  FROM pg_catalog.pg_database d
 WHERE d.datname = current_database();
