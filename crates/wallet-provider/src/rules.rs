//! The rules of what operators may do and of what is kept of it.

finding::rules! {
    OPERATOR_CREDENTIAL = "WP-OPERATOR-CREDENTIAL", "Claviger operations 1", Error,
        "an operator shows a token or a certificate that the configuration names";
    OPERATOR_ROLE = "WP-OPERATOR-ROLE", "Claviger operations 1", Error,
        "what an operator does is within the operator's role";
    OPERATOR_REASON = "WP-OPERATOR-REASON", "Claviger operations 2", Error,
        "the reason an operator gives is at most 200 characters, none of them a control character";
    OPERATOR_TRAIL = "WP-OPERATOR-TRAIL", "Claviger operations 2", Error,
        "each row of the operators' trail follows on the one before it";
    OPERATOR_TRAIL_END = "WP-OPERATOR-TRAIL-END", "Claviger operations 2", Error,
        "the operators' trail reaches the row that was noted elsewhere, and it is the same row";
}
