//! Figures by language, systems side by side.

use super::Task;
use super::markup::{Table, Text};

/// Languages, then means; all measures of all systems.
pub fn table(task: &Task) -> Table {
    let mut table = Table::with_head(head(task));
    let langs: Vec<String> = task.langs().iter().map(ToString::to_string).collect();
    for (at, row) in langs.iter().chain(&task.means()).enumerate() {
        let class = match at.checked_sub(langs.len()) {
            None => "",
            Some(0) => "mean first-mean",
            Some(_) => "mean",
        };
        table.row(class, cells(task, row));
    }
    table
}

fn head(task: &Task) -> String {
    let measures = |entry: &super::Entry| {
        let cell = |measure: &String| format!("<th scope=\"col\">{}</th>", Text(measure));
        entry.summary.measures.iter().map(cell).collect::<String>()
    };
    let second: String = task.entries.iter().map(measures).collect();
    let first = |entry: &super::Entry| {
        format!("<th scope=\"colgroup\" colspan=\"{}\">{}</th>", entry.summary.measures.len(), Text(&entry.system.name))
    };
    let first: String = task.entries.iter().map(first).collect();
    let over = "<th scope=\"col\" rowspan=\"2\">over</th><th scope=\"col\" rowspan=\"2\">queries</th>";
    format!("<tr>{over}{first}</tr><tr>{second}</tr>")
}

fn cells(task: &Task, row: &str) -> Vec<String> {
    let mut cells = vec![Text(row).to_string()];
    let queries = task
        .entries
        .iter()
        .find_map(|entry| entry.figures(row))
        .map_or(String::new(), |figures| figures.queries.to_string());
    cells.push(queries);
    for entry in &task.entries {
        let figures = entry.figures(row);
        for measure in &entry.summary.measures {
            cells.push(match figures.and_then(|figures| figures.get(measure)) {
                None => "–".into(),
                Some((mean, None)) => format!("{mean:.4}"),
                Some((mean, Some([low, high]))) => {
                    format!("{mean:.4} <span class=\"interval\">[{low:.4}, {high:.4}]</span>")
                }
            });
        }
    }
    cells
}
