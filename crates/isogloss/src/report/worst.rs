//! The worst answered questions: what was found beside what is right, each text in its own direction.

use super::Task;
use super::markup::{Text, details};
use crate::result::miss::{Miss, Passage};
use isogloss_ir::Lang;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A language's questions on demand, system after system; nothing where no result has any.
pub fn section(task: &Task) -> String {
    let mut by_lang: BTreeMap<Lang, String> = BTreeMap::new();
    for entry in &task.entries {
        let name = (task.entries.len() > 1).then_some(entry.system.name.as_str());
        for miss in &entry.misses {
            *by_lang.entry(miss.lang).or_default() += &card(miss, name);
        }
    }
    let parts: String = by_lang.iter().map(|(lang, cards)| details(&format!("Questions in {lang}"), cards)).collect();
    if parts.is_empty() { parts } else { format!("<h3>Worst queries</h3>\n{parts}") }
}

fn card(miss: &Miss, system: Option<&str>) -> String {
    let system = system.map_or(String::new(), |name| format!("{} · ", Text(name)));
    let mut html = format!("<article class=\"miss\">\n{}", passage("query", &miss.query));
    let figure = format!("{} {:.4}", miss.measure, miss.value);
    let _ = writeln!(
        html,
        "<p class=\"dim\">{system}<bdi>{}</bdi> · {} · {}</p>\n<div class=\"pair\">\n<div><h4>Gold</h4>",
        Text(&miss.query.id),
        tag(miss.query.lang),
        Text(&figure)
    );
    for gold in &miss.gold {
        let rank = gold.rank.map_or("not found".into(), |rank| format!("rank {rank}"));
        html += &above(&gold.doc, &rank);
        html += &passage("", &gold.doc);
    }
    html += "</div>\n<div><h4>Found first</h4>\n";
    for (rank, hit) in (1..).zip(&miss.found) {
        let score = hit.score.map_or(String::new(), |score| format!(", score {score:.4}"));
        let right = if hit.gold { ", gold" } else { "" };
        html += &above(&hit.doc, &format!("rank {rank}{score}{right}"));
        html += &passage("", &hit.doc);
    }
    if miss.found.is_empty() {
        html += "<p class=\"dim\">nothing</p>\n";
    }
    html + "</div>\n</div>\n</article>\n"
}

fn passage(class: &str, passage: &Passage) -> String {
    let lang = passage.lang.map_or(String::new(), |lang| format!(" lang=\"{lang}\""));
    format!("<p class=\"{class}\" dir=\"auto\"{lang}>{}</p>\n", Text(&passage.text))
}

fn above(doc: &Passage, told: &str) -> String {
    let id = if doc.id.is_empty() { String::new() } else { format!("<bdi>{}</bdi> · ", Text(&doc.id)) };
    format!("<p class=\"dim\">{} {id}{}</p>\n", tag(doc.lang), Text(told))
}

fn tag(lang: Option<Lang>) -> String {
    format!("<span class=\"tag\">{}</span>", lang.map_or("language not named".into(), |lang| lang.to_string()))
}
