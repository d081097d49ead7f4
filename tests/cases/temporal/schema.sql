CREATE TABLE t (id int4range, valid_at daterange, PRIMARY KEY (id, valid_at WITHOUT OVERLAPS));
INSERT INTO t VALUES ('[1,2)', '[2024-01-01,2024-02-01)');
CREATE TABLE u (id int4range, valid_at daterange, t int4range, UNIQUE (id, valid_at WITHOUT OVERLAPS),
  FOREIGN KEY (t, PERIOD valid_at) REFERENCES t (id, PERIOD valid_at));
INSERT INTO u VALUES ('[1,2)', '[2024-01-05,2024-01-06)', '[1,2)');
