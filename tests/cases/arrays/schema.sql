CREATE TYPE mood AS ENUM ('sad', 'NULL');
CREATE TABLE t (id integer PRIMARY KEY, a integer[], b text[] NOT NULL DEFAULT '{}', c numeric(10,2)[], d mood[], e timestamptz[], f uuid[], g jsonb[], h boolean[]);
INSERT INTO t VALUES (1, '{1,NULL,3}', '{"a b",NULL,"NULL","\\","\"",""}', '{1.10,NaN}', '{sad,"NULL"}', '{"2024-01-01 00:00:00+00"}',
  '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{"1.0","{\"a\":1}"}', '{t,f,NULL}'),
 (2, '{{1,2},{3,4}}', '[0:1]={a,b}', '{}', '{}', NULL, NULL, NULL, NULL), (3, '[-1:0][5:6]={{1,2},{3,4}}', DEFAULT, NULL, NULL, NULL, NULL, NULL, NULL);
