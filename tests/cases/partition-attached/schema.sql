CREATE TABLE log (id integer, day integer, CONSTRAINT same CHECK (id > 0)) PARTITION BY RANGE (day);
CREATE TABLE ready (day integer, gone integer, id integer, CONSTRAINT same CHECK (id > 0));
ALTER TABLE ready DROP gone;
INSERT INTO ready VALUES (1, 1);
ALTER TABLE log ATTACH PARTITION ready FOR VALUES FROM (0) TO (10);
INSERT INTO log VALUES (2, 2);
