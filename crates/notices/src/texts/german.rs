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
            format!("{}: Bestätigen Sie Ihre Adresse", frame.solution()),
            format!(
                "jemand, hoffentlich Sie, hat diese Adresse am {} für ein Konto bei {} angegeben. Ihr Code lautet:\n\n    {}",
                time(frame),
                frame.solution(),
                code.as_str()
            ),
            vec![(
                "Was Sie tun können",
                "Geben Sie den Code auf Ihrer Kontoseite ein. Dann schreiben wir an diese Adresse, wenn mit Ihrer Wallet oder Ihrem Konto etwas geschieht, und nie zur Werbung. Wenn Sie davon nichts wissen, tun Sie nichts: Ohne den Code wird die Adresse nicht verwendet. Niemand von uns wird Sie je nach dem Code fragen.".to_owned(),
            )],
        ),
        Fact::AccountDeleted => (
            format!("{}: Ihr Konto wurde gelöscht", frame.solution()),
            format!(
                "Ihr Konto bei {} wurde am {} gelöscht, und was wir dazu gespeichert hatten, ist fort. Die Wallet-Einheiten des Kontos sind widerrufen. Das lässt sich nicht rückgängig machen.",
                frame.solution(),
                time(frame)
            ),
            vec![(
                "Was Sie tun können",
                "Wenn Sie das wollten: nichts. Ein neues Konto können Sie jederzeit anlegen. Wenn Sie es nicht waren, melden Sie sich bei uns.".to_owned(),
            )],
        ),
        Fact::AddressReplaced => security(
            frame,
            "Ihr Konto schreibt nicht mehr an diese Adresse",
            "Was Ihre Wallet-Einheiten und Ihr Konto betrifft, geht an die Adresse, die statt dieser angegeben wurde, falls es eine gibt.",
        ),
        Fact::PasskeyAdded => security(
            frame,
            "Ihr Konto hat einen neuen Passkey",
            "Wer diesen Passkey hat, kann sich an Ihrem Konto anmelden, Ihre Wallet-Einheiten sehen und sie widerrufen.",
        ),
        Fact::RecoveryCodesReplaced => security(
            frame,
            "Ihr Konto hat neue Wiederherstellungscodes",
            "Die alten Codes gelten nicht mehr. Bewahren Sie die neuen dort auf, wo sie sonst niemand findet, und nicht nur auf Ihrem Telefon.",
        ),
        Fact::SignedInByRecoveryCode => security(
            frame,
            "Anmeldung mit einem Wiederherstellungscode",
            "Ein Wiederherstellungscode gilt einmal; dieser ist verbraucht.",
        ),
    };
    Letter {
        subject,
        greeting: "Guten Tag,",
        opening,
        parts,
        account: "Ihr Konto:",
        contact: "So erreichen Sie uns:",
        closing: "Antworten auf diese Nachricht werden nicht gelesen. Mit freundlichen Grüßen",
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
            "Ihr Konto; darin ist nichts verloren. In der App können Sie weiterhin Ihre Daten und den Verlauf ansehen, eine verdächtige Anfrage melden oder die Löschung Ihrer Daten verlangen, und löschen, was Sie nicht mehr brauchen."
        }
        Keys::Usable => {
            "Ihr Konto; darin ist nichts verloren. In der App können Sie weiterhin Ihre Daten und den Verlauf ansehen, eine verdächtige Anfrage melden oder die Löschung Ihrer Daten verlangen, und löschen, was Sie nicht mehr brauchen. Andere Nachweise als Ihre Personenidentifizierungsdaten gelten, bis ihre Aussteller sie zurückziehen."
        }
    };
    let ended = match keys {
        Keys::Frozen => {
            "Dieser Einheit können Sie nichts mehr hinzufügen. Die Schlüssel, die wir für sie aufbewahren, wurden sofort gesperrt: Niemand kann mehr etwas vorzeigen, das an ihnen hängt. Ihre Personenidentifizierungsdaten (PID) zieht deren Aussteller zurück; Aussteller anderer Nachweise können das ebenso tun."
        }
        Keys::Usable => {
            "Dieser Einheit können Sie nichts mehr hinzufügen. Ihre Personenidentifizierungsdaten (PID) zieht deren Aussteller zurück, Sie können sie also nicht mehr vorzeigen; Aussteller anderer Nachweise können das ebenso tun."
        }
    };
    (
        format!(
            "{}: Eine Ihrer Wallet-Einheiten wurde widerrufen",
            frame.solution()
        ),
        format!(
            "Ihre Wallet-Einheit{} von {} wurde am {} widerrufen. Das lässt sich nicht rückgängig machen.",
            frame.unit(),
            frame.solution(),
            time(frame)
        ),
        vec![
            ("Warum", why(by, reason, advisory)),
            ("Was weiterhin geht", works.to_owned()),
            ("Was nicht mehr geht", ended.to_owned()),
            ("Was Sie tun können", what_to_do(by, reason).to_owned()),
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
            "den Schlüsselspeicher Ihres Geräts, den",
            "Ihre Wallet-Einheit, Ihre Personenidentifizierungsdaten (PID), Ihr Konto und alle Nachweise, deren Schlüssel anderswo liegen.",
            "Nachweise, deren Schlüssel im Schlüsselspeicher Ihres Geräts liegen: Ihre Aussteller können sie zurückziehen, und neue werden dort nicht ausgestellt.",
        ),
        Part::Wscd => (
            "das sichere Gerät mit den Schlüsseln Ihrer Wallet, das",
            "Ihr Konto; darin ist nichts verloren. In der App können Sie weiterhin Ihre Daten und den Verlauf ansehen.",
            "Ihre Personenidentifizierungsdaten (PID) zieht deren Aussteller zurück, und für diese Schlüssel gibt es keine neuen. Aussteller anderer Nachweise können das ebenso tun.",
        ),
    };
    (
        format!(
            "{}: Schlüssel Ihrer Wallet wurden widerrufen",
            frame.solution()
        ),
        format!(
            "seit dem {} stehen wir nicht mehr ein für {place} Ihre Wallet-Einheit{} von {} verwendet. Das lässt sich nicht rückgängig machen.",
            time(frame),
            frame.unit(),
            frame.solution()
        ),
        vec![
            ("Warum", why(by, reason, advisory)),
            ("Was weiterhin geht", works.to_owned()),
            ("Was nicht mehr geht", ended.to_owned()),
            (
                "Was Sie tun können",
                "Installieren Sie die neuesten Aktualisierungen Ihres Geräts und der App, und lassen Sie sich dann neu ausstellen, was Sie brauchen. Hilft das nicht, richten Sie Ihre Wallet auf einem anderen Gerät ein.".to_owned(),
            ),
        ],
    )
}

fn why(by: Revoker, reason: RevocationReason, advisory: Option<&Advisory>) -> String {
    match (reason, by) {
        (RevocationReason::UserRequest, Revoker::User) => {
            "Sie haben es über Ihr Konto verlangt.".to_owned()
        }
        (RevocationReason::UserRequest, _) => "Sie haben uns darum gebeten.".to_owned(),
        (RevocationReason::LostOrStolen, Revoker::User) => {
            "Sie haben uns mitgeteilt, dass das Gerät verloren ist oder gestohlen wurde.".to_owned()
        }
        (RevocationReason::LostOrStolen, _) => {
            "Uns wurde mitgeteilt, dass das Gerät verloren ist oder gestohlen wurde.".to_owned()
        }
        (RevocationReason::Superseded, _) => {
            "Eine andere Einheit tritt an die Stelle dieser.".to_owned()
        }
        (RevocationReason::Security, _) => format!(
            "Wir können uns ihrer Sicherheit nicht mehr gewiss sein und dürfen sie nicht in Gebrauch lassen. Sie haben nichts falsch gemacht. {}",
            details(
                advisory,
                "Die technischen Einzelheiten stehen in der Sicherheitsmeldung",
                "Die technischen Einzelheiten nennen wir Ihnen auf Nachfrage.",
            )
        ),
        (RevocationReason::Death, _) => {
            "Eine Behörde hat uns mitgeteilt, dass die Person, die sie benutzt hat, verstorben ist. Falls Sie ihr nahestehen: Unser herzliches Beileid.".to_owned()
        }
        (RevocationReason::ProviderCancelled, _) => {
            "Diese Wallet-Lösung darf nicht mehr angeboten werden, oder wir dürfen sie nicht mehr anbieten. Alle ihre Einheiten wurden widerrufen.".to_owned()
        }
        _ => "Wir mussten es tun; auf Nachfrage sagen wir Ihnen mehr.".to_owned(),
    }
}

fn what_to_do(by: Revoker, reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::LostOrStolen => {
            "Melden Sie sich von einem anderen Gerät aus an Ihrem Konto an und entfernen Sie den Passkey des verlorenen Geräts, falls es einen hatte. Installieren Sie die App auf einem neuen Gerät, richten Sie mit Ihrem Konto eine neue Einheit ein und lassen Sie sich Ihre Personenidentifizierungsdaten neu ausstellen. Waren Sie das nicht? Dann melden Sie sich an Ihrem Konto an, prüfen Sie dessen Passkeys, erzeugen Sie neue Wiederherstellungscodes und melden Sie sich bei uns."
        }
        RevocationReason::Superseded => {
            "Verwenden Sie Ihre andere Einheit. Entfernen Sie die App vom alten Gerät, bevor Sie es weitergeben. Waren Sie das nicht? Dann melden Sie sich an Ihrem Konto an, prüfen Sie dessen Passkeys, erzeugen Sie neue Wiederherstellungscodes und melden Sie sich bei uns."
        }
        RevocationReason::Security => {
            "Installieren Sie die neuesten Aktualisierungen Ihres Geräts und der App, oder verwenden Sie ein anderes Gerät. Richten Sie dann mit Ihrem Konto eine neue Einheit ein und lassen Sie sich Ihre Personenidentifizierungsdaten neu ausstellen. Bekommt Ihr Gerät keine Aktualisierungen mehr, hilft ein anderes Gerät oder eine andere Wallet-Lösung."
        }
        RevocationReason::Death => {
            "Es ist nichts zu tun. Ist das ein Irrtum, melden Sie sich bei uns: Mit dem Konto lässt sich eine neue Einheit einrichten."
        }
        RevocationReason::ProviderCancelled => {
            "Wählen Sie eine andere Wallet-Lösung; der Aussteller Ihrer Personenidentifizierungsdaten (PID) sagt Ihnen, welche er unterstützt. Lassen Sie sich dort Ihre Personenidentifizierungsdaten und Ihre anderen Nachweise neu ausstellen."
        }
        _ if by == Revoker::User => {
            "Wenn Sie wieder eine Wallet benutzen möchten, installieren Sie die App, richten Sie mit Ihrem Konto eine neue Einheit ein und lassen Sie sich Ihre Personenidentifizierungsdaten neu ausstellen. Waren Sie das nicht? Dann melden Sie sich an Ihrem Konto an, prüfen Sie dessen Passkeys, erzeugen Sie neue Wiederherstellungscodes und melden Sie sich bei uns."
        }
        _ => {
            "Wenn Sie wieder eine Wallet benutzen möchten, installieren Sie die App, richten Sie mit Ihrem Konto eine neue Einheit ein und lassen Sie sich Ihre Personenidentifizierungsdaten neu ausstellen. Ist das ein Irrtum, melden Sie sich bei uns."
        }
    }
}

fn security(frame: &Frame<'_>, what: &str, meaning: &str) -> Words {
    (
        format!("{}: {what}", frame.solution()),
        format!("am {} bei {}: {what}.", time(frame), frame.solution()),
        vec![
            ("Was das bedeutet", meaning.to_owned()),
            (
                "Was Sie tun können",
                "Wenn Sie das waren: nichts. Wenn nicht: Melden Sie sich jetzt an Ihrem Konto an, entfernen Sie Passkeys, die nicht Ihre sind, erzeugen Sie neue Wiederherstellungscodes und melden Sie sich bei uns. Über das Konto kann niemand Ihre Wallet-Einheiten benutzen, aber widerrufen kann man sie.".to_owned(),
            ),
        ],
    )
}

fn time(frame: &Frame<'_>) -> String {
    let month = frame.month([
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ]);
    let at = frame.at;
    format!(
        "{}. {month} {} um {:02}:{:02} Uhr (UTC)",
        at.day(),
        at.year(),
        at.hour(),
        at.minute()
    )
}
