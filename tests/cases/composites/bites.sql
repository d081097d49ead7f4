INSERT INTO t (id) VALUES (9)
UPDATE t SET made = NULL WHERE id = 1
INSERT INTO keyed SELECT id + 10, p FROM keyed WHERE id = 1
INSERT INTO keyed SELECT id + 10, p FROM keyed WHERE id = 3
INSERT INTO keyed SELECT id + 10, p FROM keyed WHERE id = 4
UPDATE keyed SET p = (SELECT p FROM keyed WHERE id = 2) WHERE id = 1
UPDATE row_of_t SET k = (SELECT k FROM row_of_t WHERE id = 1) WHERE id = 2
