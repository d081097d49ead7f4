CREATE TABLE parent (id integer PRIMARY KEY, a integer, b integer, UNIQUE (a, b));
INSERT INTO parent VALUES (1, 1, 1);
CREATE TABLE orphaned (id integer PRIMARY KEY, p integer, a integer, b integer);
INSERT INTO orphaned VALUES (1, 1, 1, 1), (2, 2, 1, NULL), (3, 3, NULL, NULL);
ALTER TABLE orphaned ADD CONSTRAINT broken FOREIGN KEY (p) REFERENCES parent NOT VALID;
ALTER TABLE orphaned ADD CONSTRAINT half FOREIGN KEY (a, b) REFERENCES parent (a, b) MATCH FULL NOT VALID;
CREATE TABLE fine (id integer PRIMARY KEY, p integer);
INSERT INTO fine VALUES (1, 1), (2, NULL);
ALTER TABLE fine ADD CONSTRAINT obeyed FOREIGN KEY (p) REFERENCES parent NOT VALID;
