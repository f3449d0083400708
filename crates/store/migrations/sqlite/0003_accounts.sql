-- What users' accounts are: who comes in, by what, and what they agreed to. The alias
-- and the address are personal; everything that opens an account is kept as a hash, or
-- is public (a passkey's public key). Times are whole seconds since 1970.

-- What an account is recovered with. A code that signed somebody in is used up. The
-- `first` one was in the answer to the activation that made the account.
CREATE TABLE recovery_code (
    account    INTEGER NOT NULL REFERENCES account (id),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    first      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    used_at    INTEGER,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

INSERT INTO recovery_code (account, hash, first, created_at)
SELECT id, code_hash, 1, created_at FROM account;

ALTER TABLE account DROP COLUMN code_hash;
-- What authenticators know the account by; NULL until the first passkey.
ALTER TABLE account ADD COLUMN handle BLOB;
-- BCP 47.
ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT 'en';
-- Confirmed, or NULL. One that waits for its code is in address_code.
ALTER TABLE account ADD COLUMN email TEXT;
ALTER TABLE account ADD COLUMN email_confirmed_at INTEGER;
-- From then on the row is a shell: its alias says nothing, and nothing personal is left.
ALTER TABLE account ADD COLUMN deleted_at INTEGER;

CREATE INDEX account_deleted_at ON account (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE passkey (
    -- The credential's identifier, unique over all accounts.
    id         BLOB    PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 1023),
    account    INTEGER NOT NULL REFERENCES account (id),
    name       TEXT    NOT NULL,
    -- The WebAuthn library's record, JSON.
    data       TEXT    NOT NULL,
    -- The last signature counter; 0 where the authenticator has none.
    counter    INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX passkey_account ON passkey (account, created_at);

-- Who is signed in, by the hash of a token.
CREATE TABLE sign_in (
    hash    BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    account INTEGER NOT NULL REFERENCES account (id),
    since   INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_account ON sign_in (account);

-- The halves of WebAuthn ceremonies that wait for the other one.
CREATE TABLE ceremony (
    hash       BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    state      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ceremony_expires_at ON ceremony (expires_at);

-- What brings one more wallet into an account, within minutes.
CREATE TABLE link_code (
    account    INTEGER PRIMARY KEY REFERENCES account (id),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    expires_at INTEGER NOT NULL,
    -- The unit that it brought in: it may begin again with it, nobody else may.
    used_by    BLOB
) STRICT;

-- An address that waits for the code that was sent there.
CREATE TABLE address_code (
    account    INTEGER PRIMARY KEY REFERENCES account (id),
    address    TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    made_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- How often it was typed wrong.
    wrong      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What users agreed to: the latest of a kind counts.
CREATE TABLE consent (
    id       INTEGER PRIMARY KEY,
    account  INTEGER NOT NULL REFERENCES account (id),
    kind     TEXT    NOT NULL CHECK (kind IN ('processing', 'letters')),
    version  TEXT    NOT NULL,
    sha256   BLOB    NOT NULL CHECK (length(sha256) = 32),
    given_at INTEGER NOT NULL
) STRICT;

CREATE INDEX consent_account ON consent (account, kind, id);
