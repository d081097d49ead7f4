-- The database's counters, and the transactions that are writing at this moment.
SELECT d.xact_commit AS commits,
       extract(epoch FROM clock_timestamp() - coalesce(d.stats_reset, pg_postmaster_start_time()))::float8 AS seconds,
       d.stats_reset IS NOT NULL AS exact,
       (SELECT count(*)
          FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.datid = d.datid) AS writers
  FROM pg_catalog.pg_stat_database d
 WHERE d.datname = current_database();
