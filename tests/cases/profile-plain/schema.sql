CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE t (id serial PRIMARY KEY, a smallint, b boolean NOT NULL DEFAULT true, c numeric(10,2) CHECK (c > 0.5), d numeric(30,2), e uuid, f timestamptz, g jsonb, h mood,
  i bytea, j real, k double precision, l char(4), m varchar(5), n date, o time, p interval, q text[], r money, s numeric(15,0));
INSERT INTO t VALUES (DEFAULT, 1, true, 1.10, 1.10, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-01-01 00:00:00+00', '{"a": 1}', 'ok', '\x00', 0.1, 0.1, 'ab', 'abc', '2024-01-01', '12:00', '1 day', '{a}', 1.5, 5);
