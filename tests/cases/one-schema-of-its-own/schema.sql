CREATE SCHEMA app;
CREATE TABLE app.a (id integer PRIMARY KEY);
CREATE TABLE app.b (id integer PRIMARY KEY, a integer REFERENCES app.a);
INSERT INTO app.a VALUES (1);
INSERT INTO app.b VALUES (1, 1);
