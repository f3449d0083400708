//! Operators at the edge: who they are, and what each route asks of their role.

mod guard;
mod known;

pub(crate) use guard::{Noted, admit};
pub use guard::{OPERATOR_ROUTES, OperatorRoute};
pub use known::{KnownOperator, KnownOperators, OperatorsWrong};

use std::sync::Arc;

use wallet_provider::operators::OperatorDesk;

use crate::rates::Gates;

/// The operators of a process, and the desk that serves them.
#[derive(Debug, Clone)]
pub struct Operators {
    /// Who they are.
    pub known: Arc<KnownOperators>,
    /// What serves them.
    pub desk: Arc<OperatorDesk>,
}

/// What the guard stands on.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) operators: Operators,
    pub(crate) gates: Arc<Gates>,
}
