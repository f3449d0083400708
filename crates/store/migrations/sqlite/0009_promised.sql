-- How a database that is older than its publications is found out.

-- The latest end of a token of this list, noted before that token is put: what is
-- published never ends later, unless this is an older copy of the database.
ALTER TABLE status_list ADD COLUMN promised_until INTEGER NOT NULL DEFAULT 0;
UPDATE status_list SET promised_until = published_until;
