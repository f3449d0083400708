-- What operators did, in a chain: each row's hash is over the row and the hash before
-- it. Times are milliseconds since 1970.
CREATE TABLE operator_trail (
    sequence   INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    operator   TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    credential TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL,
    reason     TEXT,
    outcome    TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- What was done stays as it was written.
CREATE TRIGGER operator_trail_is_final BEFORE UPDATE ON operator_trail
BEGIN
    SELECT RAISE(ABORT, 'the trail stays as it was written');
END;

-- What the oldest kept row follows on, and the newest row. One row, locked by whoever
-- adds to the trail.
CREATE TABLE operator_trail_ends (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    start_sequence INTEGER NOT NULL,
    start_hash     BLOB    NOT NULL CHECK (length(start_hash) = 32),
    sequence       INTEGER NOT NULL,
    hash           BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

INSERT INTO operator_trail_ends (one, start_sequence, start_hash, sequence, hash)
VALUES (1, 0, zeroblob(32), 0, zeroblob(32));
