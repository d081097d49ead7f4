CREATE TABLE p_int (id int PRIMARY KEY);
INSERT INTO p_int VALUES (1);
CREATE TABLE p_num (id numeric(30,2) PRIMARY KEY);
INSERT INTO p_num VALUES (1);
CREATE TABLE p_num2 (id numeric(30,4) PRIMARY KEY);
INSERT INTO p_num2 VALUES (1);
CREATE TABLE p_f (id float8 PRIMARY KEY);
INSERT INTO p_f VALUES (1), (0.1);
CREATE TABLE c_int (id int PRIMARY KEY, r bigint REFERENCES p_int, n int REFERENCES p_num, m numeric(30,2) REFERENCES p_num2, f int REFERENCES p_f);
INSERT INTO c_int VALUES (1, 1, 1, 1, 1);
CREATE TABLE p_ts (t timestamp PRIMARY KEY, n timestamptz UNIQUE);
INSERT INTO p_ts VALUES ('2024-01-01', '2024-01-01 00:00:00+00');
CREATE TABLE c_date (id int PRIMARY KEY, d date REFERENCES p_ts, t timestamp REFERENCES p_ts (t), z timestamptz REFERENCES p_ts (n));
INSERT INTO c_date VALUES (1, '2024-01-01', '2024-01-01', '2024-01-01 00:00:00+00');
CREATE TABLE p_text (id text PRIMARY KEY, c char(4) UNIQUE, v varchar(9) UNIQUE, n name UNIQUE, i inet UNIQUE);
INSERT INTO p_text VALUES ('ab', 'ab', 'ab', 'ab', '10.0.0.1');
CREATE TABLE c_text (id int PRIMARY KEY, a varchar(3) REFERENCES p_text (v), b name REFERENCES p_text (n),
  c text REFERENCES p_text (v), d char(6) REFERENCES p_text (c), e bpchar REFERENCES p_text (c), f text REFERENCES p_text (c),
  g char(5) REFERENCES p_text (id), h cidr REFERENCES p_text (i), i inet REFERENCES p_text (i));
INSERT INTO c_text VALUES (1, 'ab', 'ab', 'ab', 'ab', 'ab  ', 'ab', 'ab', '10.0.0.1/32', '10.0.0.1');
