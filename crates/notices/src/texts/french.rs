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
            format!("{} : confirmez votre adresse", frame.solution()),
            format!(
                "quelqu'un, vous-même nous l'espérons, a indiqué cette adresse pour un compte chez {} le {}. Votre code est :\n\n    {}",
                frame.solution(),
                time(frame),
                code.as_str()
            ),
            vec![(
                "Que faire",
                "Saisissez le code sur la page de votre compte. Nous écrirons alors à cette adresse lorsqu'il arrive quelque chose à votre portefeuille ou à votre compte, et jamais pour de la publicité. Si vous n'êtes au courant de rien, ne faites rien : sans le code, l'adresse n'est pas utilisée. Personne de chez nous ne vous demandera jamais ce code.".to_owned(),
            )],
        ),
        Fact::AccountDeleted => (
            format!("{} : votre compte a été supprimé", frame.solution()),
            format!(
                "votre compte chez {} a été supprimé le {}, ainsi que ce que nous conservions à son sujet. Ses unités de portefeuille sont révoquées. C'est définitif.",
                frame.solution(),
                time(frame)
            ),
            vec![(
                "Que faire",
                "Si vous l'avez demandé : rien. Vous pouvez créer un nouveau compte à tout moment. Si ce n'était pas vous, contactez-nous.".to_owned(),
            )],
        ),
        Fact::AddressReplaced => security(
            frame,
            "votre compte n'écrit plus à cette adresse",
            "Ce qui concerne vos unités de portefeuille et votre compte est envoyé à l'adresse indiquée à la place de celle-ci, s'il y en a une.",
        ),
        Fact::PasskeyAdded => security(
            frame,
            "une clé d'accès a été ajoutée à votre compte",
            "Qui possède cette clé d'accès peut se connecter à votre compte, voir vos unités de portefeuille et les révoquer.",
        ),
        Fact::RecoveryCodesReplaced => security(
            frame,
            "votre compte a de nouveaux codes de récupération",
            "Les anciens codes ne fonctionnent plus. Gardez les nouveaux là où personne d'autre ne les trouvera, et pas seulement sur votre téléphone.",
        ),
        Fact::SignedInByRecoveryCode => security(
            frame,
            "connexion par un code de récupération",
            "Un code de récupération ne sert qu'une fois ; celui-ci est épuisé.",
        ),
    };
    Letter {
        subject,
        greeting: "Bonjour,",
        opening,
        parts,
        account: "Votre compte :",
        contact: "Pour nous joindre :",
        closing: "Les réponses à ce message ne sont pas lues. Cordialement,",
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
            "Votre compte, dont rien n'est perdu. Dans l'application, vous pouvez encore consulter vos données et votre historique, signaler une demande suspecte ou demander l'effacement de vos données, et supprimer ce dont vous n'avez plus besoin."
        }
        Keys::Usable => {
            "Votre compte, dont rien n'est perdu. Dans l'application, vous pouvez encore consulter vos données et votre historique, signaler une demande suspecte ou demander l'effacement de vos données, et supprimer ce dont vous n'avez plus besoin. Les attestations autres que vos données d'identification restent valables tant que leurs fournisseurs ne les retirent pas."
        }
    };
    let ended = match keys {
        Keys::Frozen => {
            "Vous ne pouvez plus rien ajouter à cette unité. Les clés que nous gardons pour elle ont été bloquées aussitôt : personne ne peut plus présenter ce qui en dépend. Le fournisseur de vos données d'identification (PID) va les retirer ; les fournisseurs d'autres attestations peuvent en faire autant."
        }
        Keys::Usable => {
            "Vous ne pouvez plus rien ajouter à cette unité. Le fournisseur de vos données d'identification (PID) va les retirer, vous ne pouvez donc plus les présenter ; les fournisseurs d'autres attestations peuvent en faire autant."
        }
    };
    (
        format!(
            "{} : une de vos unités de portefeuille a été révoquée",
            frame.solution()
        ),
        format!(
            "votre unité de portefeuille{} de {} a été révoquée le {}. C'est définitif.",
            frame.unit(),
            frame.solution(),
            time(frame)
        ),
        vec![
            ("Pourquoi", why(by, reason, advisory)),
            ("Ce qui fonctionne encore", works.to_owned()),
            ("Ce qui ne fonctionne plus", ended.to_owned()),
            ("Que faire", what_to_do(by, reason).to_owned()),
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
            "du magasin de clés de votre appareil",
            "Votre unité de portefeuille, vos données d'identification (PID), votre compte et toutes les attestations dont les clés sont ailleurs.",
            "Les attestations dont les clés sont dans le magasin de clés de votre appareil : leurs fournisseurs peuvent les retirer, et il n'en sera plus délivré de nouvelles.",
        ),
        Part::Wscd => (
            "du dispositif sécurisé qui garde les clés de votre portefeuille",
            "Votre compte, dont rien n'est perdu. Dans l'application, vous pouvez encore consulter vos données et votre historique.",
            "Le fournisseur de vos données d'identification (PID) va les retirer, et il n'en sera pas délivré de nouvelles pour ces clés. Les fournisseurs d'autres attestations peuvent en faire autant.",
        ),
    };
    (
        format!(
            "{} : des clés de votre portefeuille ont été révoquées",
            frame.solution()
        ),
        format!(
            "depuis le {}, nous ne répondons plus {place}, que votre unité de portefeuille{} de {} utilise. C'est définitif.",
            time(frame),
            frame.unit(),
            frame.solution()
        ),
        vec![
            ("Pourquoi", why(by, reason, advisory)),
            ("Ce qui fonctionne encore", works.to_owned()),
            ("Ce qui ne fonctionne plus", ended.to_owned()),
            (
                "Que faire",
                "Installez les dernières mises à jour de votre appareil et de l'application, puis demandez à nouveau ce dont vous avez besoin. Si cela ne suffit pas, installez votre portefeuille sur un autre appareil.".to_owned(),
            ),
        ],
    )
}

fn why(by: Revoker, reason: RevocationReason, advisory: Option<&Advisory>) -> String {
    match (reason, by) {
        (RevocationReason::UserRequest, Revoker::User) => {
            "Vous l'avez demandé, par votre compte.".to_owned()
        }
        (RevocationReason::UserRequest, _) => "Vous nous l'avez demandé.".to_owned(),
        (RevocationReason::LostOrStolen, Revoker::User) => {
            "Vous nous avez signalé la perte ou le vol de l'appareil.".to_owned()
        }
        (RevocationReason::LostOrStolen, _) => {
            "La perte ou le vol de l'appareil nous a été signalé.".to_owned()
        }
        (RevocationReason::Superseded, _) => "Une autre unité prend sa place.".to_owned(),
        (RevocationReason::Security, _) => format!(
            "Sa sécurité n'est plus assurée, et nous ne pouvons pas la laisser en usage. Ce n'est pas votre faute. {}",
            details(
                advisory,
                "Les détails techniques figurent dans l'avis de sécurité",
                "Nous vous donnons les détails techniques sur demande.",
            )
        ),
        (RevocationReason::Death, _) => {
            "Une autorité nous a informés du décès de la personne qui l'utilisait. Si vous êtes un proche : nous vous présentons nos sincères condoléances.".to_owned()
        }
        (RevocationReason::ProviderCancelled, _) => {
            "Cette solution de portefeuille ne peut plus être proposée, ou nous ne pouvons plus la proposer. Toutes ses unités ont été révoquées.".to_owned()
        }
        _ => "Nous y étions tenus ; nous vous en disons plus sur demande.".to_owned(),
    }
}

fn what_to_do(by: Revoker, reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::LostOrStolen => {
            "Connectez-vous à votre compte depuis un autre appareil et retirez la clé d'accès de l'appareil perdu, s'il en avait une. Sur un nouvel appareil, installez l'application, créez une nouvelle unité avec votre compte et demandez à nouveau vos données d'identification. Ce n'était pas vous ? Connectez-vous à votre compte, vérifiez ses clés d'accès, créez de nouveaux codes de récupération et contactez-nous."
        }
        RevocationReason::Superseded => {
            "Utilisez votre autre unité. Retirez l'application de l'ancien appareil avant de le donner. Ce n'était pas vous ? Connectez-vous à votre compte, vérifiez ses clés d'accès, créez de nouveaux codes de récupération et contactez-nous."
        }
        RevocationReason::Security => {
            "Installez les dernières mises à jour de votre appareil et de l'application, ou utilisez un autre appareil. Créez ensuite une nouvelle unité avec votre compte et demandez à nouveau vos données d'identification. Si votre appareil ne reçoit plus de mises à jour, un autre appareil ou une autre solution de portefeuille vous aidera."
        }
        RevocationReason::Death => {
            "Il n'y a rien à faire. S'il s'agit d'une erreur, contactez-nous : une nouvelle unité peut être créée avec le compte."
        }
        RevocationReason::ProviderCancelled => {
            "Choisissez une autre solution de portefeuille ; le fournisseur de vos données d'identification (PID) vous dira lesquelles il accepte. Demandez-y vos données d'identification et vos autres attestations."
        }
        _ if by == Revoker::User => {
            "Si vous souhaitez utiliser à nouveau un portefeuille, installez l'application, créez une nouvelle unité avec votre compte et demandez à nouveau vos données d'identification. Ce n'était pas vous ? Connectez-vous à votre compte, vérifiez ses clés d'accès, créez de nouveaux codes de récupération et contactez-nous."
        }
        _ => {
            "Si vous souhaitez utiliser à nouveau un portefeuille, installez l'application, créez une nouvelle unité avec votre compte et demandez à nouveau vos données d'identification. S'il s'agit d'une erreur, contactez-nous."
        }
    }
}

fn security(frame: &Frame<'_>, what: &str, meaning: &str) -> Words {
    (
        format!("{} : {what}", frame.solution()),
        format!("le {} chez {} : {what}.", time(frame), frame.solution()),
        vec![
            ("Ce que cela veut dire", meaning.to_owned()),
            (
                "Que faire",
                "Si c'était vous : rien. Sinon : connectez-vous maintenant à votre compte, retirez les clés d'accès qui ne sont pas les vôtres, créez de nouveaux codes de récupération et contactez-nous. Par le compte, personne ne peut utiliser vos unités de portefeuille, mais on peut les révoquer.".to_owned(),
            ),
        ],
    )
}

fn time(frame: &Frame<'_>) -> String {
    let month = frame.month([
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ]);
    let at = frame.at;
    let day = match at.day() {
        1 => "1er".to_owned(),
        day => day.to_string(),
    };
    format!(
        "{day} {month} {} à {:02}:{:02} (UTC)",
        at.year(),
        at.hour(),
        at.minute()
    )
}
