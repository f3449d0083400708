-- What operators did, in a chain: each row's hash is over the row and the hash before
-- it. Times are milliseconds since 1970.
CREATE TABLE operator_trail (
    sequence   BIGINT PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    operator   TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    credential TEXT   NOT NULL,
    action     TEXT   NOT NULL,
    object     TEXT   NOT NULL,
    reason     TEXT,
    outcome    TEXT   NOT NULL,
    hash       BYTEA  NOT NULL CHECK (length(hash) = 32)
);

-- What was done stays as it was written.
CREATE FUNCTION operator_trail_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the trail stays as it was written';
END $$;

CREATE TRIGGER operator_trail_is_final BEFORE UPDATE ON operator_trail
FOR EACH ROW EXECUTE FUNCTION operator_trail_is_final();

-- What the oldest kept row follows on, and the newest row. One row, locked by whoever
-- adds to the trail.
CREATE TABLE operator_trail_ends (
    one            BIGINT PRIMARY KEY CHECK (one = 1),
    start_sequence BIGINT NOT NULL,
    start_hash     BYTEA  NOT NULL CHECK (length(start_hash) = 32),
    sequence       BIGINT NOT NULL,
    hash           BYTEA  NOT NULL CHECK (length(hash) = 32)
);

INSERT INTO operator_trail_ends (one, start_sequence, start_hash, sequence, hash)
VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));
