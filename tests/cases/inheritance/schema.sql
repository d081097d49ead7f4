CREATE TABLE animal (id serial PRIMARY KEY, name text NOT NULL CHECK (name <> ''), weight integer CONSTRAINT heavy CHECK (weight > 0));
CREATE TABLE dog (breed text, CONSTRAINT heavy CHECK (weight > 0)) INHERITS (animal);
CREATE TABLE puppy (age integer CHECK (age < 2)) INHERITS (dog);
INSERT INTO animal (name, weight) VALUES ('a', 1);
INSERT INTO dog (name, weight, breed) VALUES ('b', 2, 'x');
INSERT INTO puppy (name, weight, breed, age) VALUES ('c', 3, 'y', 1);
