UPDATE t SET a = 60 WHERE id = 1
UPDATE t SET a = 0 WHERE id = 1
UPDATE t SET a = 60, f = NULL WHERE id = 2
UPDATE t SET b = 'x' WHERE id = 1
UPDATE t SET b = '' WHERE id = 2
UPDATE t SET b = NULL WHERE id = 2
UPDATE t SET c = 100.01 WHERE id = 1
UPDATE t SET c = 100 WHERE id = 1
UPDATE t SET d = '2024-01-03' WHERE id = 1
UPDATE t SET e = NULL WHERE id = 1
UPDATE t SET g = NULL WHERE id = 1
UPDATE t SET h = 'z' WHERE id = 1
UPDATE t SET h = 'y' WHERE id = 1
UPDATE t SET i = '1999-12-31 23:59:59.000000' WHERE id = 1
UPDATE t SET j = 0.1 WHERE id = 1
UPDATE t SET j = 0.2 WHERE id = 1
UPDATE t SET l = '  ' WHERE id = 1
UPDATE t SET id = 1000 WHERE id = 2
-- A regular expression is not translated, which the plan says.
-- known: UPDATE t SET k = 'ABC' WHERE id = 1
