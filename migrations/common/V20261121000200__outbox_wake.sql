-- The relay is woken by the services themselves. A NOTIFY in the business transaction kept two commits from sharing a
-- flush to disk: Postgres lets those that notify commit one by one, in all databases of the server.
DROP TRIGGER outbox_wake ON outbox;
DROP FUNCTION outbox_wake();
