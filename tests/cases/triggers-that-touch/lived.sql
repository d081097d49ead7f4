-- PostgreSQL prints these keys in another order, so the rows are written anew, and their times must stay as they were.
INSERT INTO w (id, doc) VALUES (2, '{"bb": 1, "a": 2}')
UPDATE w SET doc = '{"cc": 1, "b": 2}' WHERE id = 1
INSERT INTO w (id, doc, updated_at) VALUES (3, '{"bb": 1, "a": 2}', '2001-01-01 00:00:00.000000')
