//! One file a command. A command reads its input, asks the room that knows, and
//! prints the answer; it decides nothing itself.

mod at_rest;
pub(crate) mod audit;
pub(crate) mod cert;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod evidence;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod node;
pub(crate) mod notices;
pub(crate) mod operator;
pub(crate) mod rules;
pub(crate) mod sci;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod trust;
pub(crate) mod unit;
pub(crate) mod up;
pub(crate) mod wsca;
pub(crate) mod wscd;
pub(crate) mod wscd_rotate;
pub(crate) mod wua;
