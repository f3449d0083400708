//! What goes over the socket: one request, one answer. Both ends are the same
//! machine and the same build, so numbers and attribute values go as they are.

use std::io::{Read, Write};

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// The functions that are carried.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Op { $($name),* }

        impl Op {
            #[allow(dead_code)] // The client has no use for it.
            pub fn from_byte(byte: u8) -> Option<Self> {
                [$(Self::$name),*].into_iter().find(|op| *op as u8 == byte)
            }
        }
    };
}

operations!(
    GetInfo,
    GetSlotList,
    GetSlotInfo,
    GetTokenInfo,
    GetMechanismList,
    GetMechanismInfo,
    InitToken,
    InitPIN,
    SetPIN,
    OpenSession,
    CloseSession,
    GetSessionInfo,
    Login,
    Logout,
    CreateObject,
    CopyObject,
    DestroyObject,
    GetAttributeValue,
    SetAttributeValue,
    FindObjectsInit,
    FindObjects,
    FindObjectsFinal,
    EncryptInit,
    Encrypt,
    DecryptInit,
    Decrypt,
    SignInit,
    Sign,
    GenerateKey,
    GenerateKeyPair,
    WrapKey,
    UnwrapKey,
    DeriveKey,
    GenerateRandom,
);

/// Writes a frame: its length, then the bytes.
pub fn send(to: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
    to.write_all(&[&length.to_le_bytes(), bytes].concat())
}

pub fn receive(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A request or an answer being written.
#[derive(Default)]
pub struct Out(pub Vec<u8>);

impl Out {
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
}

/// The same being read. What is cut short reads as nothing: the two ends are one build.
pub struct In<'a>(pub &'a [u8]);

impl<'a> In<'a> {
    pub fn number(&mut self) -> u64 {
        match self.0.split_first_chunk() {
            Some((number, rest)) => {
                self.0 = rest;
                u64::from_le_bytes(*number)
            }
            None => 0,
        }
    }

    pub fn bytes(&mut self) -> &'a [u8] {
        let length = self.number() as usize;
        let (bytes, rest) = self.0.split_at_checked(length).unwrap_or_default();
        self.0 = rest;
        bytes
    }
}
