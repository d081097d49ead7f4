-- What the server allows the role we are: settings, places still free, attributes.
SELECT d.datname::text AS database,
       current_setting('server_version_num')::int AS version,
       current_setting('server_version') AS version_text,
       r.rolname::text AS role,
       r.rolsuper AS superuser,
       r.rolreplication AS replication,
       has_database_privilege(d.oid, 'CREATE') AS create,
       current_setting('wal_level') AS wal_level,
       (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS slots,
       current_setting('max_replication_slots')::int AS max_slots,
       (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS senders,
       current_setting('max_wal_senders')::int AS max_senders,
       (SELECT CASE WHEN s.setting = '-1' THEN -1 ELSE s.setting::int8 * 1048576 END
          FROM pg_catalog.pg_settings s WHERE s.name = 'max_slot_wal_keep_size') AS keep_bytes,
       current_setting('output_plugin_libraries', true) AS plugins,
       (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = d.datname) AS prepared,
       pg_is_in_recovery() AS replica
  FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
 WHERE d.datname = current_database() AND r.rolname = current_user;
