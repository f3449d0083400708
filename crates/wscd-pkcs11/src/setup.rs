//! Setting tokens up: the tokens themselves, and the objects that a device needs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::{Session, UserType};
use wscd::{Generation, MacPurpose, RootState, SealPurpose};

use crate::error::{OpenError, during};
use crate::login::{Line, find_token, log_in, log_in_as};
use crate::module::{Gate, Module};
use crate::objects::{
    self, BIND, Kind, Origin, ROOT_ID, ROOTS, create_root, find_one, find_roots, mac_label,
    root_label, seal_label,
};
use crate::pin::{Pin, PinSource};
use crate::profile::{Profile, Wrapping};
use crate::register::Register;
use crate::roots;
use crate::transport;
use crate::uri::{DeviceUri, TokenUri};

const FIRST: RootState = RootState {
    current: Generation(1),
    retiring: None,
};

/// How tokens are set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ceremony {
    /// Where the security officer's PIN is: wanted where a token is to be
    /// initialised, and used for every one of them.
    pub so_pin: Option<PinSource>,
    /// Leave tokens of the set that are not named out of it, for good: what they
    /// alone remember is given up. Without it, they are waited for.
    pub without_missing: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUp {
    /// Whether a token itself was initialised.
    pub token_made: bool,
    /// The labels of the objects that were made, in the first token or in all; none
    /// when all were there.
    pub objects_made: Vec<String>,
    /// Whether tokens became a set, or a set was made smaller.
    pub set_made: bool,
}

/// Sets every token up as far as it is not yet.
pub(crate) fn set_up(uri: &DeviceUri, ceremony: &Ceremony) -> Result<SetUp, OpenError> {
    let so_pin = ceremony.so_pin.as_ref().map(PinSource::read).transpose()?;
    let mut modules: HashMap<PathBuf, Arc<Module>> = HashMap::new();
    for token in uri.tokens() {
        let module = Module::at(&token.module)?;
        if find_token(module.enter().pkcs11, &token.token)?.is_none() {
            module.restart(false).map_err(|error| OpenError::Module {
                path: token.module.clone(),
                cause: crate::error::describe(&error),
            })?;
        }
        modules.insert(module.path.clone(), module);
    }
    // Each module is entered once, for as long as it takes.
    let gates: HashMap<&PathBuf, Gate<'_>> = modules
        .iter()
        .map(|(path, module)| (path, module.enter()))
        .collect();
    let mut token_made = false;
    let mut opened = Vec::new();
    for token in uri.tokens() {
        let module = Module::at(&token.module)?;
        let Some(gate) = gates.get(&module.path) else {
            continue;
        };
        let pin = token.pin.read()?;
        token_made |= prepare_token(&module, gate, token, &pin, so_pin.as_ref())?;
        opened.push(open(&module, gate, token, &pin)?);
    }
    let made = if uri.replicas.is_empty() || !uri.replicated_keys {
        make_in_each(&opened, uri.replicated_keys)
    } else {
        carry_to_all(&opened)
    };
    for token in opened {
        if let Some(gate) = gates.get(&token.module) {
            token.line.close_within(gate);
        }
    }
    Ok(SetUp {
        token_made,
        objects_made: made?,
        set_made: false,
    })
}

/// A token, logged in to.
struct Opened {
    name: String,
    module: PathBuf,
    line: Line,
    wrapping: Wrapping,
}

impl Opened {
    fn with<T>(&self, call: impl FnOnce(&Session) -> Result<T, OpenError>) -> Result<T, OpenError> {
        self.line.with(call)
    }
}

fn open(
    module: &Arc<Module>,
    gate: &Gate<'_>,
    token: &TokenUri,
    pin: &Pin,
) -> Result<Opened, OpenError> {
    let (slot, about) =
        find_token(gate.pkcs11, &token.token)?.ok_or_else(|| OpenError::NoToken {
            token: token.token.to_string(),
        })?;
    let profile = Profile::probe(gate.pkcs11, slot)?;
    let line = Line::open(module, gate, slot, 0)?;
    line.with(|session| log_in(session, &about, pin))?;
    Ok(Opened {
        name: token.token.to_string(),
        module: module.path.clone(),
        line,
        wrapping: profile.wrapping,
    })
}

/// The first token makes its keys; the others must have them by their maker's means.
fn make_in_each(tokens: &[Opened], replicated: bool) -> Result<Vec<String>, OpenError> {
    let origin = if replicated {
        Origin::Replicated
    } else {
        Origin::Token
    };
    let mut made = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        if number == 0 {
            made = token.with(|session| make_objects(session, origin))?;
            continue;
        }
        token.with(|session| {
            for (kind, label) in permanent_keys() {
                let key = find_one(session, ObjectClass::SECRET_KEY, &label)?;
                let key = key.ok_or_else(|| not_replicated(token, &label))?;
                kind.check(session, &label, key, origin)?;
            }
            if find_roots(session)?.is_empty() {
                return Err(not_replicated(token, &root_label(FIRST.current)));
            }
            // Data objects are often not replicated; which root is in force, is said.
            if Register::find(session, ROOTS)?.is_empty() {
                let state = tokens.first().map(|first| {
                    first.with(|session| {
                        let roots = roots::Roots::find(session, origin)?;
                        Ok(roots.map_or(FIRST, |roots| roots.state))
                    })
                });
                roots::create(session, state.transpose()?.unwrap_or(FIRST))?;
            }
            Ok(())
        })?;
    }
    Ok(made)
}

/// Makes each key once and carries it to every token, without anyone outside seeing
/// it. Only where no token has its keys yet: from a token in use they do not leave.
fn carry_to_all(tokens: &[Opened]) -> Result<Vec<String>, OpenError> {
    let mut complete = Vec::new();
    for token in tokens {
        complete.push(token.with(|session| Ok(!Register::find(session, ROOTS)?.is_empty()))?);
    }
    if complete.iter().all(|complete| *complete) {
        return Ok(Vec::new());
    }
    let root = (Kind::Wrapping, root_label(FIRST.current));
    if !complete.contains(&true) {
        for token in tokens {
            token.with(clear)?;
        }
        for (kind, label) in permanent_keys().chain([root.clone()]) {
            let id = (kind == Kind::Wrapping).then_some(ROOT_ID);
            carry(tokens, kind, &kind.replica(&label, id))?;
        }
    }
    // What says that a token was set up to the end comes last, everywhere.
    for (token, complete) in tokens.iter().zip(complete) {
        if complete {
            continue;
        }
        token.with(|session| {
            for (kind, label) in permanent_keys().chain([root.clone()]) {
                let key = find_one(session, ObjectClass::SECRET_KEY, &label)?;
                let key = key.ok_or_else(|| not_replicated(token, &label))?;
                kind.check(session, &label, key, Origin::Replicated)?;
            }
            Ok(roots::create(session, FIRST)?)
        })?;
    }
    let labels = permanent_keys().chain([root]).map(|(_, label)| label);
    Ok(labels.chain([ROOTS.to_owned()]).collect())
}

fn carry(tokens: &[Opened], kind: Kind, template: &[Attribute]) -> Result<(), OpenError> {
    let Some(first) = tokens.first() else {
        return Ok(());
    };
    let mut offers = Vec::new();
    for token in tokens {
        offers.push(token.with(|session| Ok(transport::offer(session)?))?);
    }
    let sent = first.with(|session| {
        let key = kind.to_be_wrapped(session)?;
        let send = |offer: &transport::Offer| {
            transport::send(session, first.wrapping, key.handle, &offer.public)
        };
        Ok(offers.iter().map(send).collect::<Result<Vec<_>, _>>()?)
    })?;
    for ((token, offer), sent) in tokens.iter().zip(&offers).zip(&sent) {
        token.with(|session| {
            transport::receive(session, token.wrapping, offer, sent, template)?.keep();
            Ok(())
        })?;
    }
    Ok(())
}

/// What a ceremony that was cut short left: nothing depends on it.
fn clear(session: &Session) -> Result<(), OpenError> {
    for (_, label) in permanent_keys() {
        for key in objects::find_all(session, ObjectClass::SECRET_KEY, &label, None)? {
            session
                .destroy_object(key)
                .map_err(during("clear a key away"))?;
        }
    }
    for (_, root) in find_roots(session)? {
        session
            .destroy_object(root)
            .map_err(during("clear a root away"))?;
    }
    Ok(())
}

/// The keys that do not rotate.
fn permanent_keys() -> impl Iterator<Item = (Kind, String)> {
    let macs = MacPurpose::ALL.map(|purpose| (Kind::Hmac, mac_label(purpose)));
    let seals = SealPurpose::ALL.map(|purpose| (Kind::Sealing, seal_label(purpose)));
    [(Kind::Hmac, BIND.to_owned())]
        .into_iter()
        .chain(macs)
        .chain(seals)
}

fn not_replicated(token: &Opened, label: &str) -> OpenError {
    OpenError::NotReplicated {
        token: token.name.clone(),
        object: label.to_owned(),
    }
}

/// Initialises a token, or its user's PIN, where that has not been done.
fn prepare_token(
    module: &Arc<Module>,
    gate: &Gate<'_>,
    uri: &TokenUri,
    pin: &Pin,
    so_pin: Option<&Pin>,
) -> Result<bool, OpenError> {
    let found = find_token(gate.pkcs11, &uri.token)?;
    if let Some((_, about)) = &found
        && about.user_pin_initialized()
    {
        return Ok(false);
    }
    let so_pin = so_pin.ok_or(OpenError::NoSecurityOfficer)?;
    let made = found.is_none();
    if made {
        if uri.token.serial.is_some() {
            // A new token's number is the maker's to give.
            return Err(OpenError::NoToken {
                token: uri.token.to_string(),
            });
        }
        let slots = gate
            .pkcs11
            .get_slots_with_token()
            .map_err(during("list its slots"))?;
        let free = slots
            .into_iter()
            .find(|slot| {
                gate.pkcs11
                    .get_token_info(*slot)
                    .is_ok_and(|about| !about.token_initialized())
            })
            .ok_or(OpenError::NoFreeToken)?;
        gate.pkcs11
            .init_token(free, so_pin.expose(), &uri.token.label)
            .map_err(during("initialise a token"))?;
    }
    let (slot, _) = find_token(gate.pkcs11, &uri.token)?.ok_or_else(|| OpenError::NoToken {
        token: uri.token.to_string(),
    })?;
    let line = Line::open(module, gate, slot, 0)?;
    line.with(|session| {
        log_in_as(session, UserType::So, "security officer", so_pin)?;
        let set = session.init_pin(pin.expose());
        let out = session.logout();
        set.map_err(during("set the user's PIN"))?;
        out.map_err(during("log out"))?;
        Ok::<_, OpenError>(())
    })?;
    line.close_within(gate);
    Ok(made)
}

/// Makes what is missing. What says which root is in force is made last: a token
/// that has it was set up to the end, and one whose keys are gone is refused.
fn make_objects(session: &Session, origin: Origin) -> Result<Vec<String>, OpenError> {
    let complete = !Register::find(session, ROOTS)?.is_empty();
    let mut made = Vec::new();
    for (kind, label) in permanent_keys() {
        match find_one(session, ObjectClass::SECRET_KEY, &label)? {
            Some(key) => kind.check(session, &label, key, origin)?,
            // A purpose that a later version brings is added to a token in use.
            None if complete && label == BIND => {
                return Err(OpenError::Untrusted {
                    object: label,
                    cause: "it is gone, and everything in use depends on it",
                });
            }
            None => {
                kind.create(session, &label, None)?;
                made.push(label);
            }
        }
    }
    if complete {
        return Ok(made);
    }
    match find_roots(session)?.as_slice() {
        [] => {
            create_root(session, FIRST.current)?;
            made.push(root_label(FIRST.current));
        }
        [(generation, root)] if *generation == FIRST.current => {
            Kind::Wrapping.check(session, ROOTS, *root, origin)?;
        }
        _ => {
            return Err(OpenError::Untrusted {
                object: ROOTS.to_owned(),
                cause: "it is gone, and there are roots",
            });
        }
    }
    roots::create(session, FIRST)?;
    made.push(ROOTS.to_owned());
    Ok(made)
}
