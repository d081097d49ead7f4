INSERT INTO t VALUES (4, 1, 'q', false)
INSERT INTO t VALUES (4, NULL, 'q', true)
INSERT INTO t VALUES (5, 5, 'r', true)
UPDATE t SET a = 5 WHERE id = 4
INSERT INTO chars VALUES ('a ')
