//! `remote-token-server MODULE SOCKET [CALLS]`: the process that has the tokens.
//! It serves one connection at a time, and with `CALLS` writes the name of each
//! function that is called, a line each, into that file.

mod wire;

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};

use cryptoki_sys::*;
use wire::{In, Op, Out, receive, send};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, socket, calls @ ..] = arguments.as_slice() else {
        return Err("usage: remote-token-server MODULE SOCKET [CALLS]".into());
    };
    let mut calls = match calls.first() {
        Some(path) => Some(std::fs::File::create(path)?),
        None => None,
    };
    // SAFETY: the module is what the caller says it is: a PKCS#11 module.
    let functions = unsafe {
        let library = Box::leak(Box::new(libloading::Library::new(module)?));
        let get: libloading::Symbol<unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV> =
            library.get(b"C_GetFunctionList\0")?;
        let mut list = std::ptr::null_mut();
        if get(&mut list) != CKR_OK || list.is_null() {
            return Err("the module has no functions".into());
        }
        &*list
    };
    let listener = UnixListener::bind(socket)?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        // SAFETY: no arguments: one thread calls.
        let up = unsafe { functions.C_Initialize.ok_or("C_Initialize")?(std::ptr::null_mut()) };
        if up != CKR_OK {
            return Err(format!("C_Initialize answered {up}").into());
        }
        serve(functions, &mut stream, &mut calls)?;
        // SAFETY: as above.
        unsafe { functions.C_Finalize.ok_or("C_Finalize")?(std::ptr::null_mut()) };
    }
    Ok(())
}

/// Until the client hangs up.
fn serve(
    functions: &CK_FUNCTION_LIST,
    stream: &mut UnixStream,
    calls: &mut Option<std::fs::File>,
) -> std::io::Result<()> {
    while let Ok(request) = receive(stream) {
        let Some((op, rest)) = request.split_first() else {
            return Ok(());
        };
        let Some(op) = Op::from_byte(*op) else {
            return Ok(());
        };
        if let Some(calls) = calls {
            writeln!(calls, "{op:?}")?;
        }
        let mut out = Out::default();
        // SAFETY: the arguments are what the client's own caller gave, made anew here.
        let rv = unsafe { run(functions, op, &mut In(rest), &mut out) };
        let rv = rv.unwrap_or(CKR_FUNCTION_NOT_SUPPORTED);
        if send(stream, &[&rv.to_le_bytes(), out.0.as_slice()].concat()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// `None` where the module lacks the function.
unsafe fn run(f: &CK_FUNCTION_LIST, op: Op, a: &mut In<'_>, out: &mut Out) -> Option<CK_RV> {
    // SAFETY: see the caller; every pointer below is to something that lives as long.
    unsafe {
        Some(match op {
            Op::GetInfo => structure(out, |place| Some(f.C_GetInfo?(place)))?,
            Op::GetSlotList => {
                let present = a.number() as CK_BBOOL;
                list(a, out, |buffer, count| {
                    Some(f.C_GetSlotList?(present, buffer, count))
                })?
            }
            Op::GetSlotInfo => {
                let slot = a.number();
                structure(out, |place| Some(f.C_GetSlotInfo?(slot, place)))?
            }
            Op::GetTokenInfo => {
                let slot = a.number();
                structure(out, |place| Some(f.C_GetTokenInfo?(slot, place)))?
            }
            Op::GetMechanismList => {
                let slot = a.number();
                list(a, out, |buffer, count| {
                    Some(f.C_GetMechanismList?(slot, buffer, count))
                })?
            }
            Op::GetMechanismInfo => {
                let (slot, kind) = (a.number(), a.number());
                structure(out, |place| Some(f.C_GetMechanismInfo?(slot, kind, place)))?
            }
            Op::InitToken => {
                let slot = a.number();
                let (mut pin, mut label) = (a.bytes().to_vec(), a.bytes().to_vec());
                let length = pin.len() as CK_ULONG;
                f.C_InitToken?(slot, pin.as_mut_ptr(), length, label.as_mut_ptr())
            }
            Op::InitPIN => {
                let session = a.number();
                let mut pin = a.bytes().to_vec();
                f.C_InitPIN?(session, pin.as_mut_ptr(), pin.len() as CK_ULONG)
            }
            Op::SetPIN => {
                let session = a.number();
                let (mut old, mut new) = (a.bytes().to_vec(), a.bytes().to_vec());
                let (old_length, new_length) = (old.len() as CK_ULONG, new.len() as CK_ULONG);
                f.C_SetPIN?(
                    session,
                    old.as_mut_ptr(),
                    old_length,
                    new.as_mut_ptr(),
                    new_length,
                )
            }
            Op::OpenSession => {
                let (slot, flags) = (a.number(), a.number());
                let none = std::ptr::null_mut();
                number(out, |place| {
                    Some(f.C_OpenSession?(slot, flags, none, None, place))
                })?
            }
            Op::CloseSession => f.C_CloseSession?(a.number()),
            Op::GetSessionInfo => {
                let session = a.number();
                structure(out, |place| Some(f.C_GetSessionInfo?(session, place)))?
            }
            Op::Login => {
                let (session, user) = (a.number(), a.number());
                let mut pin = a.bytes().to_vec();
                f.C_Login?(session, user, pin.as_mut_ptr(), pin.len() as CK_ULONG)
            }
            Op::Logout => f.C_Logout?(a.number()),
            Op::CreateObject => {
                let session = a.number();
                let mut t = Template::read(a);
                number(out, |place| {
                    Some(f.C_CreateObject?(session, t.ptr(), t.len(), place))
                })?
            }
            Op::CopyObject => {
                let (session, object) = (a.number(), a.number());
                let mut t = Template::read(a);
                number(out, |place| {
                    Some(f.C_CopyObject?(session, object, t.ptr(), t.len(), place))
                })?
            }
            Op::DestroyObject => {
                let (session, object) = (a.number(), a.number());
                f.C_DestroyObject?(session, object)
            }
            Op::GetAttributeValue => attributes(f, a, out)?,
            Op::SetAttributeValue => {
                let (session, object) = (a.number(), a.number());
                let mut t = Template::read(a);
                f.C_SetAttributeValue?(session, object, t.ptr(), t.len())
            }
            Op::FindObjectsInit => {
                let session = a.number();
                let mut t = Template::read(a);
                f.C_FindObjectsInit?(session, t.ptr(), t.len())
            }
            Op::FindObjects => {
                let (session, most) = (a.number(), a.number());
                let mut found = vec![0; most.min(65_536) as usize];
                let mut count = 0;
                let room = found.len() as CK_ULONG;
                let rv = f.C_FindObjects?(session, found.as_mut_ptr(), room, &mut count);
                out.number(count);
                for object in found.iter().take(count as usize) {
                    out.number(*object);
                }
                rv
            }
            Op::FindObjectsFinal => f.C_FindObjectsFinal?(a.number()),
            Op::EncryptInit => begin(a, |s, m, k| Some(f.C_EncryptInit?(s, m, k)))?,
            Op::DecryptInit => begin(a, |s, m, k| Some(f.C_DecryptInit?(s, m, k)))?,
            Op::SignInit => begin(a, |s, m, k| Some(f.C_SignInit?(s, m, k)))?,
            Op::Encrypt => crypt(a, out, |s, d, l, b, r| Some(f.C_Encrypt?(s, d, l, b, r)))?,
            Op::Decrypt => crypt(a, out, |s, d, l, b, r| Some(f.C_Decrypt?(s, d, l, b, r)))?,
            Op::Sign => crypt(a, out, |s, d, l, b, r| Some(f.C_Sign?(s, d, l, b, r)))?,
            Op::GenerateKey => {
                let session = a.number();
                let mut m = Mechanism::read(a);
                let mut t = Template::read(a);
                number(out, |place| {
                    Some(f.C_GenerateKey?(session, m.ptr(), t.ptr(), t.len(), place))
                })?
            }
            Op::GenerateKeyPair => {
                let session = a.number();
                let mut m = Mechanism::read(a);
                let (mut public, mut private) = (Template::read(a), Template::read(a));
                let (mut one, mut other) = (0, 0);
                let rv = f.C_GenerateKeyPair?(
                    session,
                    m.ptr(),
                    public.ptr(),
                    public.len(),
                    private.ptr(),
                    private.len(),
                    &mut one,
                    &mut other,
                );
                out.number(one).number(other);
                rv
            }
            Op::WrapKey => {
                let session = a.number();
                let mut m = Mechanism::read(a);
                let (by, key) = (a.number(), a.number());
                buffer(a, out, |buffer, room| {
                    Some(f.C_WrapKey?(session, m.ptr(), by, key, buffer, room))
                })?
            }
            Op::UnwrapKey => {
                let session = a.number();
                let mut m = Mechanism::read(a);
                let by = a.number();
                let mut wrapped = a.bytes().to_vec();
                let mut t = Template::read(a);
                let (bytes, length) = (wrapped.as_mut_ptr(), wrapped.len() as CK_ULONG);
                number(out, |place| {
                    Some(f.C_UnwrapKey?(
                        session,
                        m.ptr(),
                        by,
                        bytes,
                        length,
                        t.ptr(),
                        t.len(),
                        place,
                    ))
                })?
            }
            Op::DeriveKey => {
                let session = a.number();
                let mut m = Mechanism::read(a);
                let base = a.number();
                let mut t = Template::read(a);
                number(out, |place| {
                    Some(f.C_DeriveKey?(
                        session,
                        m.ptr(),
                        base,
                        t.ptr(),
                        t.len(),
                        place,
                    ))
                })?
            }
            Op::GenerateRandom => {
                let (session, length) = (a.number(), a.number());
                let mut bytes = vec![0; length.min(65_536) as usize];
                let rv = f.C_GenerateRandom?(session, bytes.as_mut_ptr(), bytes.len() as CK_ULONG);
                out.bytes(&bytes);
                rv
            }
        })
    }
}

unsafe fn attributes(f: &CK_FUNCTION_LIST, a: &mut In<'_>, out: &mut Out) -> Option<CK_RV> {
    let (session, object, count) = (a.number(), a.number(), a.number());
    let mut buffers: Vec<(u64, Option<Vec<u8>>)> = (0..count)
        .map(|_| {
            let (kind, has_room, length) = (a.number(), a.number(), a.number());
            let room = (has_room != 0).then(|| vec![0; length.min(1 << 20) as usize]);
            (kind, room)
        })
        .collect();
    let mut asked: Vec<CK_ATTRIBUTE> = buffers
        .iter_mut()
        .map(|(kind, buffer)| CK_ATTRIBUTE {
            type_: *kind,
            pValue: buffer
                .as_mut()
                .map_or(std::ptr::null_mut(), |buffer| buffer.as_mut_ptr().cast()),
            ulValueLen: buffer.as_ref().map_or(0, |buffer| buffer.len() as CK_ULONG),
        })
        .collect();
    // SAFETY: each attribute points to its own buffer, or to none.
    let rv = unsafe {
        f.C_GetAttributeValue?(session, object, asked.as_mut_ptr(), asked.len() as CK_ULONG)
    };
    for (attribute, (_, buffer)) in asked.iter().zip(&buffers) {
        let bytes = buffer
            .as_ref()
            .and_then(|buffer| buffer.get(..attribute.ulValueLen as usize))
            .unwrap_or_default();
        out.number(attribute.ulValueLen).bytes(bytes);
    }
    Some(rv)
}

/// Something that C fills in, taken as it is.
unsafe fn structure<T>(out: &mut Out, call: impl FnOnce(*mut T) -> Option<CK_RV>) -> Option<CK_RV> {
    // SAFETY: PKCS#11's structures are numbers and characters; zero is a value of each.
    let mut place: T = unsafe { std::mem::zeroed() };
    let rv = call(&mut place)?;
    // SAFETY: its bytes, as many as it has.
    let bytes = unsafe {
        std::slice::from_raw_parts(std::ptr::from_ref(&place).cast::<u8>(), size_of::<T>())
    };
    out.bytes(bytes);
    Some(rv)
}

fn number(out: &mut Out, call: impl FnOnce(*mut CK_ULONG) -> Option<CK_RV>) -> Option<CK_RV> {
    let mut place = 0;
    let rv = call(&mut place)?;
    out.number(place);
    Some(rv)
}

fn list(
    a: &mut In<'_>,
    out: &mut Out,
    call: impl FnOnce(*mut CK_ULONG, *mut CK_ULONG) -> Option<CK_RV>,
) -> Option<CK_RV> {
    let (has_room, mut count) = (a.number() != 0, a.number());
    let mut items: Vec<CK_ULONG> = vec![
        0;
        if has_room {
            count.min(65_536) as usize
        } else {
            0
        }
    ];
    let place = if has_room {
        items.as_mut_ptr()
    } else {
        std::ptr::null_mut()
    };
    let rv = call(place, &mut count)?;
    let bytes: Vec<u8> = items
        .iter()
        .take(count as usize)
        .flat_map(|item| item.to_ne_bytes())
        .collect();
    out.number(count).bytes(&bytes);
    Some(rv)
}

fn buffer(
    a: &mut In<'_>,
    out: &mut Out,
    call: impl FnOnce(*mut u8, *mut CK_ULONG) -> Option<CK_RV>,
) -> Option<CK_RV> {
    let (has_room, mut length) = (a.number() != 0, a.number());
    let mut bytes = vec![
        0;
        if has_room {
            length.min(1 << 20) as usize
        } else {
            0
        }
    ];
    let place = if has_room {
        bytes.as_mut_ptr()
    } else {
        std::ptr::null_mut()
    };
    let rv = call(place, &mut length)?;
    out.number(length)
        .bytes(bytes.get(..length as usize).unwrap_or_default());
    Some(rv)
}

fn begin(
    a: &mut In<'_>,
    call: impl FnOnce(CK_SESSION_HANDLE, *mut CK_MECHANISM, CK_OBJECT_HANDLE) -> Option<CK_RV>,
) -> Option<CK_RV> {
    let session = a.number();
    let mut mechanism = Mechanism::read(a);
    let key = a.number();
    call(session, mechanism.ptr(), key)
}

fn crypt(
    a: &mut In<'_>,
    out: &mut Out,
    call: impl FnOnce(CK_SESSION_HANDLE, *mut u8, CK_ULONG, *mut u8, *mut CK_ULONG) -> Option<CK_RV>,
) -> Option<CK_RV> {
    let session = a.number();
    let mut data = a.bytes().to_vec();
    let (bytes, length) = (data.as_mut_ptr(), data.len() as CK_ULONG);
    buffer(a, out, |buffer, room| {
        call(session, bytes, length, buffer, room)
    })
}

/// A template, and the values that it points to.
struct Template {
    _values: Vec<Vec<u8>>,
    attributes: Vec<CK_ATTRIBUTE>,
}

impl Template {
    fn read(a: &mut In<'_>) -> Self {
        let count = a.number();
        let (mut values, mut kinds) = (Vec::new(), Vec::new());
        for _ in 0..count {
            kinds.push(a.number());
            values.push(a.bytes().to_vec());
        }
        let attributes = kinds
            .into_iter()
            .zip(&mut values)
            .map(|(type_, value)| CK_ATTRIBUTE {
                type_,
                pValue: value.as_mut_ptr().cast(),
                ulValueLen: value.len() as CK_ULONG,
            })
            .collect();
        Self {
            _values: values,
            attributes,
        }
    }

    fn ptr(&mut self) -> *mut CK_ATTRIBUTE {
        self.attributes.as_mut_ptr()
    }

    fn len(&self) -> CK_ULONG {
        self.attributes.len() as CK_ULONG
    }
}

/// A mechanism, and the parameters that it points to.
struct Mechanism {
    one: Vec<u8>,
    other: Vec<u8>,
    gcm: Option<Box<CK_GCM_PARAMS>>,
    ecdh: Option<Box<CK_ECDH1_DERIVE_PARAMS>>,
    mechanism: CK_MECHANISM,
}

impl Mechanism {
    fn read(a: &mut In<'_>) -> Self {
        let kind = a.number();
        let mut this = Self {
            one: Vec::new(),
            other: Vec::new(),
            gcm: None,
            ecdh: None,
            mechanism: CK_MECHANISM {
                mechanism: kind,
                pParameter: std::ptr::null_mut(),
                ulParameterLen: 0,
            },
        };
        match kind {
            CKM_AES_GCM => {
                (this.one, this.other) = (a.bytes().to_vec(), a.bytes().to_vec());
                let gcm = this.gcm.insert(Box::new(CK_GCM_PARAMS {
                    pIv: this.one.as_mut_ptr(),
                    ulIvLen: this.one.len() as CK_ULONG,
                    ulIvBits: this.one.len() as CK_ULONG * 8,
                    pAAD: this.other.as_mut_ptr(),
                    ulAADLen: this.other.len() as CK_ULONG,
                    ulTagBits: a.number(),
                }));
                this.mechanism.pParameter = std::ptr::from_mut(gcm.as_mut()).cast();
                this.mechanism.ulParameterLen = size_of::<CK_GCM_PARAMS>() as CK_ULONG;
            }
            CKM_ECDH1_DERIVE => {
                let kdf = a.number();
                (this.one, this.other) = (a.bytes().to_vec(), a.bytes().to_vec());
                let shared = match this.one.is_empty() {
                    true => std::ptr::null_mut(),
                    false => this.one.as_mut_ptr(),
                };
                let ecdh = this.ecdh.insert(Box::new(CK_ECDH1_DERIVE_PARAMS {
                    kdf,
                    ulSharedDataLen: this.one.len() as CK_ULONG,
                    pSharedData: shared,
                    ulPublicDataLen: this.other.len() as CK_ULONG,
                    pPublicData: this.other.as_mut_ptr(),
                }));
                this.mechanism.pParameter = std::ptr::from_mut(ecdh.as_mut()).cast();
                this.mechanism.ulParameterLen = size_of::<CK_ECDH1_DERIVE_PARAMS>() as CK_ULONG;
            }
            _ => {
                this.one = a.bytes().to_vec();
                if !this.one.is_empty() {
                    this.mechanism.pParameter = this.one.as_mut_ptr().cast();
                    this.mechanism.ulParameterLen = this.one.len() as CK_ULONG;
                }
            }
        }
        this
    }

    fn ptr(&mut self) -> *mut CK_MECHANISM {
        &mut self.mechanism
    }
}
