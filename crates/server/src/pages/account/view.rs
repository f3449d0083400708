//! The templates, and what they are filled with.

use accounts::{ConsentText, PasskeyView, SignedIn};
use askama::Template;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use provider_api::{HistoryEntry, RevocationReason, Revoker, UnitState, UnitView};

use super::assets::{ICON, SCRIPT, STYLE};
use super::trouble::{Trouble, What};

/// Renders a page.
pub(super) fn answer<T: Template>(status: StatusCode, page: T) -> Response {
    match page.render() {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (status, kind, text).into_response()
        }
        // The page of an error needs nothing that could fail; if it does, say so plainly.
        Err(error) => Trouble::from(What::Template(error))
            .problem()
            .into_response(),
    }
}

/// A page that went well.
pub(super) fn ok<T: Template>(page: T) -> Response {
    answer(StatusCode::OK, page)
}

/// What stands around every page.
pub(super) struct Frame {
    pub(super) title: &'static str,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
    /// Who is signed in.
    pub(super) who: Option<Who>,
}

/// Who is signed in, as the frame needs it.
pub(super) struct Who {
    pub(super) alias: String,
    /// What each form carries.
    pub(super) token: String,
}

impl Frame {
    pub(super) fn public(title: &'static str) -> Self {
        Self {
            title,
            style: &STYLE.address,
            script: &SCRIPT.address,
            icon: &ICON.address,
            who: None,
        }
    }

    pub(super) fn of(title: &'static str, who: &SignedIn) -> Self {
        Self {
            who: Some(Who {
                alias: who.alias().to_owned(),
                token: who.form_token(),
            }),
            ..Self::public(title)
        }
    }

    pub(super) fn token(&self) -> &str {
        self.who.as_ref().map_or("", |who| who.token.as_str())
    }

    pub(super) fn is(&self, title: &str) -> bool {
        self.title == title
    }
}

#[derive(Template)]
#[template(path = "account/trouble.html")]
pub(super) struct TroublePage {
    frame: Frame,
    detail: String,
    /// Whether signing in again helps.
    sign_in: bool,
}

impl TroublePage {
    pub(super) fn new(title: &'static str, detail: Option<&str>, sign_in: bool) -> Self {
        Self {
            frame: Frame::public(title),
            detail: detail.unwrap_or_default().to_owned(),
            sign_in,
        }
    }
}

#[derive(Template)]
#[template(path = "account/sign_up.html")]
pub(super) struct SignUpPage<'a> {
    pub(super) frame: Frame,
    pub(super) consent: &'a ConsentText,
}

#[derive(Template)]
#[template(path = "account/sign_in.html")]
pub(super) struct SignInPage {
    pub(super) frame: Frame,
    /// Known already, where somebody signs in once more.
    pub(super) alias: String,
    /// Where to go on.
    pub(super) then: &'static str,
    /// What went wrong with a recovery code.
    pub(super) wrong: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "account/consent.html")]
pub(super) struct ConsentPage<'a> {
    pub(super) frame: Frame,
    pub(super) consent: &'a ConsentText,
    /// Whether somebody is asked, or only reads.
    pub(super) asked: bool,
}

#[derive(Template)]
#[template(path = "account/units.html")]
pub(super) struct UnitsPage {
    pub(super) frame: Frame,
    pub(super) units: Vec<Unit>,
    pub(super) codes: u64,
    pub(super) revoked: bool,
}

#[derive(Template)]
#[template(path = "account/unit.html")]
pub(super) struct UnitPage {
    pub(super) frame: Frame,
    pub(super) unit: Unit,
}

#[derive(Template)]
#[template(path = "account/revocation.html")]
pub(super) struct RevocationPage {
    pub(super) frame: Frame,
    pub(super) unit: Unit,
}

#[derive(Template)]
#[template(path = "account/passkeys.html")]
pub(super) struct PasskeysPage {
    pub(super) frame: Frame,
    pub(super) passkeys: Vec<Passkey>,
    pub(super) fresh: bool,
}

#[derive(Template)]
#[template(path = "account/codes.html")]
pub(super) struct CodesPage {
    pub(super) frame: Frame,
    pub(super) left: u64,
    pub(super) fresh: bool,
    /// A new set, shown once.
    pub(super) codes: Vec<String>,
}

#[derive(Template)]
#[template(path = "account/link.html")]
pub(super) struct LinkPage {
    pub(super) frame: Frame,
    pub(super) code: Option<(String, Moment)>,
    pub(super) fresh: bool,
}

#[derive(Template)]
#[template(path = "account/address.html")]
pub(super) struct AddressPage {
    pub(super) frame: Frame,
    pub(super) address: Option<String>,
    pub(super) waiting: Option<String>,
    pub(super) possible: bool,
    pub(super) purpose: &'static str,
    pub(super) fresh: bool,
}

#[derive(Template)]
#[template(path = "account/deletion.html")]
pub(super) struct DeletionPage {
    pub(super) frame: Frame,
    pub(super) living: usize,
    pub(super) fresh: bool,
}

#[derive(Template)]
#[template(path = "account/deleted.html")]
pub(super) struct DeletedPage {
    pub(super) frame: Frame,
}

/// A wallet, in a person's words.
pub(super) struct Unit {
    pub(super) id: String,
    /// The beginning of its identifier, which tells several apart.
    pub(super) short: String,
    pub(super) state: &'static str,
    /// The class of its mark.
    pub(super) mark: &'static str,
    pub(super) since: Moment,
    pub(super) living: bool,
    pub(super) history: Vec<Event>,
}

/// One line of a wallet's history.
pub(super) struct Event {
    pub(super) at: Moment,
    pub(super) what: String,
}

impl Unit {
    pub(super) fn of(view: UnitView) -> Self {
        let id = view.unit.to_string();
        let (state, mark) = match view.state {
            UnitState::Installed => ("Being set up", "plain"),
            UnitState::Operational => ("In use", "good"),
            UnitState::Revoked => ("Revoked", "bad"),
        };
        let since = view.history.first().map_or(Timestamp::UNIX_EPOCH, |e| e.at);
        Self {
            short: id.chars().take(8).collect(),
            id,
            state,
            mark,
            since: Moment(since),
            living: view.state != UnitState::Revoked,
            history: view.history.iter().map(event).collect(),
        }
    }
}

fn event(entry: &HistoryEntry) -> Event {
    let what = match entry.state {
        UnitState::Installed => "Its set-up began".to_owned(),
        UnitState::Operational => "It came into use".to_owned(),
        UnitState::Revoked => {
            let by = match entry.by {
                Some(Revoker::User) => "you",
                _ => "the wallet provider",
            };
            format!("It was revoked by {by}: {}", reason(entry.reason))
        }
    };
    Event {
        at: Moment(entry.at),
        what,
    }
}

fn reason(reason: Option<RevocationReason>) -> &'static str {
    match reason {
        Some(RevocationReason::UserRequest) => "as you wished",
        Some(RevocationReason::LostOrStolen) => "the device was lost or stolen",
        Some(RevocationReason::Superseded) => "you moved to another wallet",
        Some(RevocationReason::Security) => "it was no longer secure",
        Some(RevocationReason::Death) => "the death of its user was reported",
        Some(RevocationReason::ProviderCancelled) => "the wallet solution was ended",
        _ => "the reason was not recorded",
    }
}

/// A passkey, in a person's words.
pub(super) struct Passkey {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Moment,
    pub(super) used: Option<Moment>,
}

impl From<PasskeyView> for Passkey {
    fn from(view: PasskeyView) -> Self {
        Self {
            id: view.id,
            name: view.name,
            created: Moment(view.created_at),
            used: view.used_at.map(Moment),
        }
    }
}

/// A moment, for machines and in words.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl Moment {
    pub(super) fn exact(&self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(super) fn words(&self) -> String {
        self.0.strftime("%-d %B %Y, %H:%M UTC").to_string()
    }
}
