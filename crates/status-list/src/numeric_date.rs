use jiff::Timestamp;
use serde_json::Value;

/// The time a JSON NumericDate stands for (RFC 7519, section 2): seconds since
/// 1970, with or without a fraction. A fraction is cut off. `None` for anything
/// that is not a number, and for times that no calendar holds.
pub fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::Number(n) => match n.as_i64() {
            Some(whole) => whole,
            None => {
                let fraction = n.as_f64().filter(|f| f.abs() < 1e15)?;
                fraction.floor() as i64
            }
        },
        _ => return None,
    };
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_numbers_that_are_times_are_times() {
        let whole = Timestamp::from_second(1_686_920_170).ok();
        assert_eq!(numeric_date(&json!(1_686_920_170)), whole);
        assert_eq!(numeric_date(&json!(1_686_920_170.9)), whole);
        for no in [
            json!("1686920170"),
            json!(null),
            json!(true),
            json!(1e300),
            json!(u64::MAX),
            json!(i64::MIN),
        ] {
            assert_eq!(numeric_date(&no), None, "{no}");
        }
    }
}
