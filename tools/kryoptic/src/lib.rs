//! kryoptic as a PKCS#11 module: the one symbol that a program looks for, and
//! nothing of ours behind it.

use kryoptic_lib::fns::general::fn_get_function_list;
use kryoptic_lib::pkcs11::{CK_FUNCTION_LIST_PTR_PTR, CK_RV};
// Named so that its `bundled` feature is not taken for an unused dependency.
use rusqlite as _;

/// PKCS#11 v2.40, 5.4: where every call begins.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    fn_get_function_list(list)
}
