//! Users' accounts: passkeys, recovery codes, sign-in, consent
