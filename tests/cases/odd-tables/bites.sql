INSERT INTO empty VALUES (1, 'a')
INSERT INTO empty VALUES (1, 'a')
INSERT INTO dropped (id) VALUES (2)
