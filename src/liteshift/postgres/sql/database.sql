-- The database itself: name, server version, encoding, and large objects, which no table shows.
SELECT current_database() AS database,
       current_setting('server_version_num')::int AS server_version,
       pg_encoding_to_char(encoding) AS encoding,
       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects
  FROM pg_catalog.pg_database
 WHERE datname = current_database();
