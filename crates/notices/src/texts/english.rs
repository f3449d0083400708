use provider_api::{RevocationReason, Revoker};

use super::{Frame, Letter, details};
use crate::{Advisory, Fact, Keys, Part};

pub(super) fn letter(fact: &Fact, frame: &Frame<'_>) -> Letter {
    let (subject, opening, parts) = match fact {
        Fact::UnitRevoked {
            by,
            reason,
            keys,
            advisory,
        } => unit_revoked(*by, *reason, *keys, advisory.as_ref(), frame),
        Fact::KeysRevoked {
            part,
            by,
            reason,
            advisory,
        } => keys_revoked(*part, *by, *reason, advisory.as_ref(), frame),
        Fact::AddressToConfirm { code } => (
            format!("{}: confirm your address", frame.solution()),
            format!(
                "somebody, we hope you, gave this address for their account with {} on {}. Your code is:\n\n    {}",
                frame.solution(),
                time(frame),
                code.as_str()
            ),
            vec![(
                "What to do",
                "Enter the code on your account page. We then write to this address when something happens to your wallet or your account, and never for advertising. If you know nothing of this, do nothing: without the code the address is not used. Nobody of ours will ever ask you for the code.".to_owned(),
            )],
        ),
        Fact::AccountDeleted => (
            format!("{}: your account was deleted", frame.solution()),
            format!(
                "your account with {} was deleted on {}, and what we kept about it is gone. Units that belonged to it have been revoked. This cannot be undone.",
                frame.solution(),
                time(frame)
            ),
            vec![(
                "What to do",
                "If you asked for this: nothing. You can make a new account at any time. If it was not you, get in touch with us.".to_owned(),
            )],
        ),
        Fact::AddressReplaced => security(
            frame,
            "your account no longer writes to this address",
            "Whatever concerns your wallet units and your account is told at the address that was given instead, if one was.",
        ),
        Fact::PasskeyAdded => security(
            frame,
            "a passkey was added to your account",
            "Whoever has this passkey can sign in to your account, see your wallet units and revoke them.",
        ),
        Fact::RecoveryCodesReplaced => security(
            frame,
            "your account has new recovery codes",
            "The old codes no longer work. Keep the new ones where nobody else finds them, and not only on your phone.",
        ),
        Fact::SignedInByRecoveryCode => security(
            frame,
            "somebody signed in with a recovery code",
            "A recovery code works once; this one is used up.",
        ),
    };
    Letter {
        subject,
        greeting: "Hello,",
        opening,
        parts,
        account: "Your account:",
        contact: "You reach us here:",
        closing: "Answers to this message are not read. With kind regards,",
    }
}

type Words = (String, String, Vec<(&'static str, String)>);

fn unit_revoked(
    by: Revoker,
    reason: RevocationReason,
    keys: Keys,
    advisory: Option<&Advisory>,
    frame: &Frame<'_>,
) -> Words {
    let works = match keys {
        Keys::Frozen => {
            "Your account, and nothing in it is lost. In the app you can still see your data and your history, report a request that looked wrong or ask for your data to be erased, and delete what you no longer want."
        }
        Keys::Usable => {
            "Your account, and nothing in it is lost. In the app you can still see your data and your history, report a request that looked wrong or ask for your data to be erased, and delete what you no longer want. Attestations other than your identity data work until their providers withdraw them."
        }
    };
    let ended = match keys {
        Keys::Frozen => {
            "You cannot add anything to this unit. The keys that we keep for it were blocked at once, so nobody can show anything that depends on them. The provider of your identity data (PID) will withdraw it; providers of other attestations may do the same."
        }
        Keys::Usable => {
            "You cannot add anything to this unit. The provider of your identity data (PID) will withdraw it, so you cannot show it any more; providers of other attestations may do the same."
        }
    };
    (
        format!("{}: a wallet unit of yours was revoked", frame.solution()),
        format!(
            "your wallet unit{} of {} was revoked on {}. This cannot be undone.",
            frame.unit(),
            frame.solution(),
            time(frame)
        ),
        vec![
            ("Why", why(by, reason, advisory)),
            ("What still works", works.to_owned()),
            ("What no longer works", ended.to_owned()),
            ("What to do", what_to_do(by, reason).to_owned()),
        ],
    )
}

fn keys_revoked(
    part: Part,
    by: Revoker,
    reason: RevocationReason,
    advisory: Option<&Advisory>,
    frame: &Frame<'_>,
) -> Words {
    let (place, works, ended) = match part {
        Part::Keystore => (
            "the keystore of your device",
            "Your wallet unit, your identity data (PID), your account, and every attestation whose keys are elsewhere.",
            "Attestations whose keys are in the keystore of your device: their providers may withdraw them, and no new ones are made there.",
        ),
        Part::Wscd => (
            "the secure device that holds the keys of your wallet",
            "Your account, and nothing in it is lost. In the app you can still see your data and your history.",
            "The provider of your identity data (PID) will withdraw it, and you cannot get a new one for these keys. Providers of other attestations may do the same.",
        ),
    };
    (
        format!("{}: keys of your wallet were revoked", frame.solution()),
        format!(
            "we no longer vouch for {place}, which your wallet unit{} of {} uses, since {}. This cannot be undone.",
            frame.unit(),
            frame.solution(),
            time(frame)
        ),
        vec![
            ("Why", why(by, reason, advisory)),
            ("What still works", works.to_owned()),
            ("What no longer works", ended.to_owned()),
            (
                "What to do",
                "Install the newest updates of your device and of the app, then ask the providers for what you need again. If that does not work, set your wallet up on another device.".to_owned(),
            ),
        ],
    )
}

fn why(by: Revoker, reason: RevocationReason, advisory: Option<&Advisory>) -> String {
    match (reason, by) {
        (RevocationReason::UserRequest, Revoker::User) => {
            "You asked us to, through your account.".to_owned()
        }
        (RevocationReason::UserRequest, _) => "You asked us to.".to_owned(),
        (RevocationReason::LostOrStolen, Revoker::User) => {
            "You told us that the device is lost or was stolen.".to_owned()
        }
        (RevocationReason::LostOrStolen, _) => {
            "We were told that the device is lost or was stolen.".to_owned()
        }
        (RevocationReason::Superseded, _) => {
            "Another unit takes the place of this one.".to_owned()
        }
        (RevocationReason::Security, _) => format!(
            "We can no longer be sure that it is secure, and we may not leave it in use. It is not your fault. {}",
            details(
                advisory,
                "The technical details are in the advisory",
                "We tell you the technical details when you ask us.",
            )
        ),
        (RevocationReason::Death, _) => {
            "We were told by an authority that the person who used it has died. If you are a relative: we are sorry for your loss.".to_owned()
        }
        (RevocationReason::ProviderCancelled, _) => {
            "The wallet solution, or we as its provider, may no longer be offered. All of its units were revoked.".to_owned()
        }
        _ => "We had to; we tell you more when you ask us.".to_owned(),
    }
}

fn what_to_do(by: Revoker, reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::LostOrStolen => {
            "Sign in to your account from another device and remove the passkey of the lost one, if it had one. On a new device, install the app, set up a new unit with your account, and ask for your identity data again. Was this not you? Then sign in to your account, look at its passkeys, make new recovery codes, and get in touch with us."
        }
        RevocationReason::Superseded => {
            "Use your other unit. Remove the app from the old device before you give it away. Was this not you? Then sign in to your account, look at its passkeys, make new recovery codes, and get in touch with us."
        }
        RevocationReason::Security => {
            "Install the newest updates of your device and of the app, or use another device. Then set up a new unit with your account and ask for your identity data again. If your device gets no more updates, another device or another wallet solution helps."
        }
        RevocationReason::Death => {
            "Nothing needs to be done. If this is a mistake, get in touch with us: a new unit can be set up with the account."
        }
        RevocationReason::ProviderCancelled => {
            "Choose another wallet solution; the provider of your identity data (PID) can tell you which it supports. Ask there for your identity data, and ask the providers of your other attestations for new ones."
        }
        _ if by == Revoker::User => {
            "If you want to use a wallet again, install the app, set up a new unit with your account, and ask for your identity data again. Was this not you? Then sign in to your account, look at its passkeys, make new recovery codes, and get in touch with us."
        }
        _ => {
            "If you want to use a wallet again, install the app, set up a new unit with your account, and ask for your identity data again. If this is a mistake, get in touch with us."
        }
    }
}

fn security(frame: &Frame<'_>, what: &str, meaning: &str) -> Words {
    (
        format!("{}: {what}", frame.solution()),
        format!("on {}, at {}: {what}.", time(frame), frame.solution()),
        vec![
            ("What it means", meaning.to_owned()),
            (
                "What to do",
                "If this was you: nothing. If not: sign in to your account now, remove the passkeys that are not yours, make new recovery codes, and get in touch with us. Your wallet units cannot be used through the account, but they can be revoked.".to_owned(),
            ),
        ],
    )
}

fn time(frame: &Frame<'_>) -> String {
    let month = frame.month([
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]);
    let at = frame.at;
    format!(
        "{} {month} {} at {:02}:{:02} UTC",
        at.day(),
        at.year(),
        at.hour(),
        at.minute()
    )
}
