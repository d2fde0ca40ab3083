//! What is written as JSON.
//!
//! Owns the one way in which it is: what writes a type is long, and is built once for it, not once for each form of the text.

use serde::Serialize;
use serde_json::{Result, Value};

/// On one line.
pub(crate) fn line<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value)
}

/// As a value; numbers keep their digits, fields their order.
pub(crate) fn value<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    serde_json::from_slice(line(value)?.as_bytes())
}

/// Over several lines.
pub(crate) fn pretty<T: Serialize + ?Sized>(of: &T) -> Result<String> {
    serde_json::to_string_pretty(&value(of)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_the_same_document() {
        let text = r#"{"z":1.50,"a":[123456789012345678901234567890,null,"\u00e9"],"m":{}}"#;
        let read: Value = serde_json::from_str(text).unwrap();
        assert_eq!(value(&read).unwrap(), read);
        let pretty = pretty(&read).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), read);
        assert_eq!(line(&read).unwrap(), text.replace("\\u00e9", "é"));
    }
}
