-- What was revoked since a list was looked at last, and lists in both forms.

-- The revision of its list that an entry was set with.
ALTER TABLE status_set ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
CREATE INDEX status_set_revision ON status_set (list, revision);

-- 1: the database was found to be older than what it published. The list is closed.
ALTER TABLE status_list ADD COLUMN restored BIGINT NOT NULL DEFAULT 0;

-- Lists that were published as JWT alone are due as CWT too.
UPDATE status_list SET revision = revision + 1;
