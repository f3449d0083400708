-- What users are told, until they have been told. Times are whole seconds since 1970,
-- except where a column says milliseconds.

CREATE TABLE notice (
    id        BLOB    PRIMARY KEY CHECK (length(id) = 16),
    kind      TEXT    NOT NULL,
    -- What happened, JSON, with nothing personal in it.
    fact      TEXT    NOT NULL,
    -- Whose: the address is looked up when it is delivered.
    account   INTEGER REFERENCES account (id) ON DELETE SET NULL,
    unit      BLOB,
    at_ms     INTEGER NOT NULL,
    -- 1: to `recipient` and nowhere else, whatever the account says.
    named     INTEGER NOT NULL DEFAULT 0,
    -- Personal, and gone once the mail is over: an address, and a code sent there.
    recipient TEXT,
    secret    TEXT,
    language  TEXT,
    -- 1 once it has its deliveries.
    spread    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_new ON notice (id) WHERE spread = 0;
CREATE INDEX notice_at ON notice (at_ms);
CREATE INDEX notice_account ON notice (account);

-- One for each channel of a notice.
CREATE TABLE notice_delivery (
    notice  BLOB    NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    channel TEXT    NOT NULL,
    state   TEXT    NOT NULL
            CHECK (state IN ('waiting', 'delivered', 'no-channel', 'refused', 'undelivered')),
    tries   INTEGER NOT NULL DEFAULT 0,
    -- While somebody delivers it: when that one's claim ends.
    due_at  INTEGER NOT NULL,
    claim   BLOB,
    last_at INTEGER NOT NULL,
    why     TEXT,
    PRIMARY KEY (notice, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX notice_delivery_due ON notice_delivery (channel, due_at, notice)
WHERE state = 'waiting';
CREATE INDEX notice_delivery_trouble ON notice_delivery (last_at) WHERE state <> 'delivered';
