//! What each result depends on, as its manifest says.

use super::Report;
use super::markup::{Table, Text, details};
use serde_json::Value;

/// A table a result, on demand.
pub fn section(report: &Report) -> String {
    let of = |system: &super::System| {
        let mut table = Table::new(["", "value"]);
        rows("", &system.result.manifest, &mut table);
        details(&format!("{}, {}", system.name, system.benchmark), &table.to_string())
    };
    report.systems.iter().map(of).collect()
}

fn rows(name: &str, value: &Value, table: &mut Table) {
    let mut push = |value: String| {
        table.row("", [Text(name).to_string(), format!("<bdi>{}</bdi>", Text(&value))]);
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name} · {field}") };
                rows(&name, value, table);
            }
        }
        Value::Array(words) if words.iter().all(Value::is_string) => {
            push(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "));
        }
        Value::String(text) => push(text.clone()),
        Value::Null => push("none".into()),
        other => push(other.to_string()),
    }
}
