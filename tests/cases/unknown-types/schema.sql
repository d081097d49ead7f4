CREATE TABLE t (id integer PRIMARY KEY, a aclitem, x xid, v int2vector, o oidvector);
INSERT INTO t VALUES (1, 'postgres=r/postgres', '5', '1 2 3', '4 5');
