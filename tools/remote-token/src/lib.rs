//! A PKCS#11 module that has no token: it asks a server, over the socket that
//! `REMOTE_TOKEN_SOCKET` names. When the server is gone, every call answers
//! `CKR_DEVICE_REMOVED` until the module is initialised anew.
//!
//! It carries what `cryptoki` calls, and no more.
#![allow(clippy::missing_safety_doc)]

mod wire;

use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use cryptoki_sys::*;
use wire::{In, Op, Out, receive, send};

static SERVER: Mutex<Option<UnixStream>> = Mutex::new(None);

/// PKCS#11 v2.40, 5.4.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    // SAFETY: every member is a version or an optional function, for which zero is none.
    let mut functions: CK_FUNCTION_LIST = unsafe { std::mem::zeroed() };
    functions.version = CK_VERSION {
        major: 2,
        minor: 40,
    };
    functions.C_Initialize = Some(initialize);
    functions.C_Finalize = Some(finalize);
    functions.C_GetInfo = Some(get_info);
    functions.C_GetFunctionList = Some(C_GetFunctionList);
    functions.C_GetSlotList = Some(get_slot_list);
    functions.C_GetSlotInfo = Some(get_slot_info);
    functions.C_GetTokenInfo = Some(get_token_info);
    functions.C_GetMechanismList = Some(get_mechanism_list);
    functions.C_GetMechanismInfo = Some(get_mechanism_info);
    functions.C_InitToken = Some(init_token);
    functions.C_InitPIN = Some(init_pin);
    functions.C_SetPIN = Some(set_pin);
    functions.C_OpenSession = Some(open_session);
    functions.C_CloseSession = Some(close_session);
    functions.C_GetSessionInfo = Some(get_session_info);
    functions.C_Login = Some(login);
    functions.C_Logout = Some(logout);
    functions.C_CreateObject = Some(create_object);
    functions.C_CopyObject = Some(copy_object);
    functions.C_DestroyObject = Some(destroy_object);
    functions.C_GetAttributeValue = Some(get_attribute_value);
    functions.C_SetAttributeValue = Some(set_attribute_value);
    functions.C_FindObjectsInit = Some(find_objects_init);
    functions.C_FindObjects = Some(find_objects);
    functions.C_FindObjectsFinal = Some(find_objects_final);
    functions.C_EncryptInit = Some(encrypt_init);
    functions.C_Encrypt = Some(encrypt);
    functions.C_DecryptInit = Some(decrypt_init);
    functions.C_Decrypt = Some(decrypt);
    functions.C_SignInit = Some(sign_init);
    functions.C_Sign = Some(sign);
    functions.C_GenerateKey = Some(generate_key);
    functions.C_GenerateKeyPair = Some(generate_key_pair);
    functions.C_WrapKey = Some(wrap_key);
    functions.C_UnwrapKey = Some(unwrap_key);
    functions.C_DeriveKey = Some(derive_key);
    functions.C_GenerateRandom = Some(generate_random);
    // SAFETY: the caller gives a place for a pointer; the list lives for ever.
    unsafe { *list = Box::leak(Box::new(functions)) };
    CKR_OK
}

unsafe extern "C" fn initialize(_: *mut std::ffi::c_void) -> CK_RV {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if server.is_some() {
        return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    }
    // Without a server the module is up, and has no slot.
    *server =
        std::env::var_os("REMOTE_TOKEN_SOCKET").and_then(|socket| UnixStream::connect(socket).ok());
    CKR_OK
}

unsafe extern "C" fn finalize(_: *mut std::ffi::c_void) -> CK_RV {
    *SERVER.lock().unwrap_or_else(PoisonError::into_inner) = None;
    CKR_OK
}

/// Asks; the answer is a return value and what belongs to it.
fn call(op: Op, request: &Out, read: impl FnOnce(CK_RV, &mut In<'_>)) -> CK_RV {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stream) = server.as_mut() else {
        return CKR_DEVICE_REMOVED;
    };
    let request = [&[op as u8], request.0.as_slice()].concat();
    match send(stream, &request).and_then(|()| receive(stream)) {
        Ok(answer) => {
            let mut answer = In(&answer);
            let rv = answer.number() as CK_RV;
            read(rv, &mut answer);
            rv
        }
        Err(_) => {
            // Still "initialised": nothing is connected until it is so anew.
            let _ = stream.shutdown(std::net::Shutdown::Both);
            CKR_DEVICE_REMOVED
        }
    }
}

fn simple(op: Op, numbers: &[u64]) -> CK_RV {
    let mut out = Out::default();
    for number in numbers {
        out.number(*number);
    }
    call(op, &out, |_, _| {})
}

/// Reads what a C structure is made of.
unsafe fn read_into<T>(place: *mut T, answer: &mut In<'_>) {
    let bytes = answer.bytes();
    if bytes.len() == size_of::<T>() {
        // SAFETY: as many bytes as the structure has, made by the same build.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast(), bytes.len()) };
    }
}

unsafe fn input<'a>(pointer: *const u8, length: CK_ULONG) -> &'a [u8] {
    if pointer.is_null() {
        return &[];
    }
    // SAFETY: the caller says how long it is.
    unsafe { std::slice::from_raw_parts(pointer, length as usize) }
}

/// A buffer that may be absent, and its length: PKCS#11 v2.40, 5.2.
unsafe fn offer(out: &mut Out, buffer: *mut u8, length: *mut CK_ULONG) {
    // SAFETY: the caller gives a place for the length.
    let length = if length.is_null() {
        0
    } else {
        unsafe { *length }
    };
    out.number(u64::from(!buffer.is_null())).number(length);
}

unsafe fn take(answer: &mut In<'_>, rv: CK_RV, buffer: *mut u8, length: *mut CK_ULONG) {
    let said = answer.number();
    let bytes = answer.bytes();
    if rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL {
        // SAFETY: the server was told how much room there is and keeps to it.
        unsafe {
            *length = said as CK_ULONG;
            if rv == CKR_OK && !buffer.is_null() {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len());
            }
        }
    }
}

unsafe fn template(out: &mut Out, attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) {
    out.number(count);
    for at in 0..count as usize {
        // SAFETY: there are as many attributes as the caller says.
        let attribute = unsafe { &*attributes.add(at) };
        out.number(attribute.type_);
        out.bytes(unsafe { input(attribute.pValue.cast(), attribute.ulValueLen) });
    }
}

unsafe fn mechanism(out: &mut Out, mechanism: *mut CK_MECHANISM) {
    // SAFETY: the caller's mechanism and, by its kind, the caller's parameters.
    unsafe {
        let mechanism = &*mechanism;
        out.number(mechanism.mechanism);
        match mechanism.mechanism {
            CKM_AES_GCM => {
                let gcm = &*mechanism.pParameter.cast::<CK_GCM_PARAMS>();
                out.bytes(input(gcm.pIv, gcm.ulIvLen));
                out.bytes(input(gcm.pAAD, gcm.ulAADLen));
                out.number(gcm.ulTagBits);
            }
            CKM_ECDH1_DERIVE => {
                let ecdh = &*mechanism.pParameter.cast::<CK_ECDH1_DERIVE_PARAMS>();
                out.number(ecdh.kdf);
                out.bytes(input(ecdh.pSharedData, ecdh.ulSharedDataLen));
                out.bytes(input(ecdh.pPublicData, ecdh.ulPublicDataLen));
            }
            _ => {
                out.bytes(input(mechanism.pParameter.cast(), mechanism.ulParameterLen));
            }
        }
    }
}

unsafe extern "C" fn get_info(info: *mut CK_INFO) -> CK_RV {
    call(Op::GetInfo, &Out::default(), |_, answer| unsafe {
        read_into(info, answer)
    })
}

unsafe extern "C" fn get_slot_list(
    present: CK_BBOOL,
    slots: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(present.into());
    unsafe { offer(&mut out, slots.cast(), count) };
    call(Op::GetSlotList, &out, |rv, answer| unsafe {
        take(answer, rv, slots.cast(), count)
    })
}

unsafe extern "C" fn get_slot_info(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) -> CK_RV {
    let mut out = Out::default();
    out.number(slot);
    call(Op::GetSlotInfo, &out, |_, answer| unsafe {
        read_into(info, answer)
    })
}

unsafe extern "C" fn get_token_info(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    let mut out = Out::default();
    out.number(slot);
    call(Op::GetTokenInfo, &out, |_, answer| unsafe {
        read_into(info, answer)
    })
}

unsafe extern "C" fn get_mechanism_list(
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(slot);
    unsafe { offer(&mut out, list.cast(), count) };
    call(Op::GetMechanismList, &out, |rv, answer| unsafe {
        take(answer, rv, list.cast(), count)
    })
}

unsafe extern "C" fn get_mechanism_info(
    slot: CK_SLOT_ID,
    kind: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    let mut out = Out::default();
    out.number(slot).number(kind);
    call(Op::GetMechanismInfo, &out, |_, answer| unsafe {
        read_into(info, answer)
    })
}

unsafe extern "C" fn init_token(
    slot: CK_SLOT_ID,
    pin: *mut u8,
    length: CK_ULONG,
    label: *mut u8,
) -> CK_RV {
    let mut out = Out::default();
    out.number(slot);
    unsafe { out.bytes(input(pin, length)).bytes(input(label, 32)) };
    call(Op::InitToken, &out, |_, _| {})
}

unsafe extern "C" fn init_pin(session: CK_SESSION_HANDLE, pin: *mut u8, length: CK_ULONG) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe { out.bytes(input(pin, length)) };
    call(Op::InitPIN, &out, |_, _| {})
}

unsafe extern "C" fn set_pin(
    session: CK_SESSION_HANDLE,
    old: *mut u8,
    old_length: CK_ULONG,
    new: *mut u8,
    new_length: CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe {
        out.bytes(input(old, old_length))
            .bytes(input(new, new_length))
    };
    call(Op::SetPIN, &out, |_, _| {})
}

unsafe extern "C" fn open_session(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    _: *mut std::ffi::c_void,
    _: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(slot).number(flags);
    call(Op::OpenSession, &out, |_, answer| unsafe {
        *session = answer.number()
    })
}

unsafe extern "C" fn close_session(session: CK_SESSION_HANDLE) -> CK_RV {
    simple(Op::CloseSession, &[session])
}

unsafe extern "C" fn get_session_info(
    session: CK_SESSION_HANDLE,
    info: *mut CK_SESSION_INFO,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    call(Op::GetSessionInfo, &out, |_, answer| unsafe {
        read_into(info, answer)
    })
}

unsafe extern "C" fn login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut u8,
    length: CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session).number(user);
    unsafe { out.bytes(input(pin, length)) };
    call(Op::Login, &out, |_, _| {})
}

unsafe extern "C" fn logout(session: CK_SESSION_HANDLE) -> CK_RV {
    simple(Op::Logout, &[session])
}

unsafe extern "C" fn create_object(
    session: CK_SESSION_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    object: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe { template(&mut out, attributes, count) };
    call(Op::CreateObject, &out, |_, answer| unsafe {
        *object = answer.number()
    })
}

unsafe extern "C" fn copy_object(
    session: CK_SESSION_HANDLE,
    from: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    object: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session).number(from);
    unsafe { template(&mut out, attributes, count) };
    call(Op::CopyObject, &out, |_, answer| unsafe {
        *object = answer.number()
    })
}

unsafe extern "C" fn destroy_object(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> CK_RV {
    simple(Op::DestroyObject, &[session, object])
}

unsafe extern "C" fn get_attribute_value(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session).number(object).number(count);
    for at in 0..count as usize {
        // SAFETY: there are as many attributes as the caller says.
        let attribute = unsafe { &*attributes.add(at) };
        out.number(attribute.type_)
            .number(u64::from(!attribute.pValue.is_null()))
            .number(attribute.ulValueLen);
    }
    call(Op::GetAttributeValue, &out, |_, answer| {
        for at in 0..count as usize {
            let (length, bytes) = (answer.number(), answer.bytes());
            // SAFETY: as above; the server was told how much room there is.
            unsafe {
                let attribute = &mut *attributes.add(at);
                attribute.ulValueLen = length;
                if !attribute.pValue.is_null() {
                    std::ptr::copy_nonoverlapping(
                        bytes.as_ptr(),
                        attribute.pValue.cast(),
                        bytes.len(),
                    );
                }
            }
        }
    })
}

unsafe extern "C" fn set_attribute_value(
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session).number(object);
    unsafe { template(&mut out, attributes, count) };
    call(Op::SetAttributeValue, &out, |_, _| {})
}

unsafe extern "C" fn find_objects_init(
    session: CK_SESSION_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe { template(&mut out, attributes, count) };
    call(Op::FindObjectsInit, &out, |_, _| {})
}

unsafe extern "C" fn find_objects(
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    most: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session).number(most);
    call(Op::FindObjects, &out, |_, answer| {
        let found = answer.number();
        // SAFETY: the server was told how many fit.
        unsafe {
            *count = found;
            for at in 0..found as usize {
                *objects.add(at) = answer.number();
            }
        }
    })
}

unsafe extern "C" fn find_objects_final(session: CK_SESSION_HANDLE) -> CK_RV {
    simple(Op::FindObjectsFinal, &[session])
}

macro_rules! crypt {
    ($($init:ident $op_init:ident $run:ident $op:ident;)*) => {$(
        unsafe extern "C" fn $init(
            session: CK_SESSION_HANDLE,
            with: *mut CK_MECHANISM,
            key: CK_OBJECT_HANDLE,
        ) -> CK_RV {
            let mut out = Out::default();
            out.number(session);
            unsafe { mechanism(&mut out, with) };
            out.number(key);
            call(Op::$op_init, &out, |_, _| {})
        }

        unsafe extern "C" fn $run(
            session: CK_SESSION_HANDLE,
            data: *mut u8,
            length: CK_ULONG,
            buffer: *mut u8,
            room: *mut CK_ULONG,
        ) -> CK_RV {
            let mut out = Out::default();
            out.number(session);
            unsafe {
                out.bytes(input(data, length));
                offer(&mut out, buffer, room);
            }
            call(Op::$op, &out, |rv, answer| unsafe { take(answer, rv, buffer, room) })
        }
    )*};
}

crypt! {
    encrypt_init EncryptInit encrypt Encrypt;
    decrypt_init DecryptInit decrypt Decrypt;
    sign_init SignInit sign Sign;
}

unsafe extern "C" fn generate_key(
    session: CK_SESSION_HANDLE,
    with: *mut CK_MECHANISM,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe {
        mechanism(&mut out, with);
        template(&mut out, attributes, count);
    }
    call(Op::GenerateKey, &out, |_, answer| unsafe {
        *key = answer.number()
    })
}

unsafe extern "C" fn generate_key_pair(
    session: CK_SESSION_HANDLE,
    with: *mut CK_MECHANISM,
    public: *mut CK_ATTRIBUTE,
    public_count: CK_ULONG,
    private: *mut CK_ATTRIBUTE,
    private_count: CK_ULONG,
    public_key: *mut CK_OBJECT_HANDLE,
    private_key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe {
        mechanism(&mut out, with);
        template(&mut out, public, public_count);
        template(&mut out, private, private_count);
    }
    call(Op::GenerateKeyPair, &out, |_, answer| unsafe {
        *public_key = answer.number();
        *private_key = answer.number();
    })
}

unsafe extern "C" fn wrap_key(
    session: CK_SESSION_HANDLE,
    with: *mut CK_MECHANISM,
    by: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    buffer: *mut u8,
    room: *mut CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe { mechanism(&mut out, with) };
    out.number(by).number(key);
    unsafe { offer(&mut out, buffer, room) };
    call(Op::WrapKey, &out, |rv, answer| unsafe {
        take(answer, rv, buffer, room)
    })
}

unsafe extern "C" fn unwrap_key(
    session: CK_SESSION_HANDLE,
    with: *mut CK_MECHANISM,
    by: CK_OBJECT_HANDLE,
    wrapped: *mut u8,
    length: CK_ULONG,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe { mechanism(&mut out, with) };
    out.number(by);
    unsafe {
        out.bytes(input(wrapped, length));
        template(&mut out, attributes, count);
    }
    call(Op::UnwrapKey, &out, |_, answer| unsafe {
        *key = answer.number()
    })
}

unsafe extern "C" fn derive_key(
    session: CK_SESSION_HANDLE,
    with: *mut CK_MECHANISM,
    base: CK_OBJECT_HANDLE,
    attributes: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session);
    unsafe { mechanism(&mut out, with) };
    out.number(base);
    unsafe { template(&mut out, attributes, count) };
    call(Op::DeriveKey, &out, |_, answer| unsafe {
        *key = answer.number()
    })
}

unsafe extern "C" fn generate_random(
    session: CK_SESSION_HANDLE,
    buffer: *mut u8,
    length: CK_ULONG,
) -> CK_RV {
    let mut out = Out::default();
    out.number(session).number(length);
    call(Op::GenerateRandom, &out, |rv, answer| {
        let bytes = answer.bytes();
        if rv == CKR_OK && bytes.len() == length as usize {
            // SAFETY: as many bytes as were asked for.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, bytes.len()) };
        }
    })
}
