//! What a run would train on, as tables for people.

use super::grouped;
use comfy_table::{CellAlignment, Table, presets};
use isogloss_train::{DataPlan, Drawn, LangPlan, Memory, Plan, SetPlan, Spread, TaskPlan};
use std::fmt::{self, Display, Formatter};

/// A plan to be printed.
pub struct Tables<'a>(pub &'a Plan);

impl Display for Tables<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Plan { steps, done, accumulate, tokens, tasks, memory, .. } = self.0;
        let batches = if *accumulate == 1 { "batch" } else { "batches" };
        writeln!(f, "{} steps of {accumulate} {batches}: {} tokens", count(*steps), grouped(*tokens))?;
        if *done > 0 {
            writeln!(f, "{} steps are done, the rest would be trained", count(*done))?;
        }
        let (model, own) = (count(self.0.model_parameters), count(self.0.recipe_parameters));
        writeln!(f, "{model} weights in the model, {own} in what is thrown away after training\n")?;
        for task in tasks {
            tell_task(f, task)?;
        }
        writeln!(f, "memory, an estimate\n\n{}", memory_table(memory).trim_fmt())
    }
}

fn tell_task(f: &mut Formatter<'_>, task: &TaskPlan) -> fmt::Result {
    let TaskPlan { name, recipe, weight, batches, data } = task;
    writeln!(f, "task {name} ({recipe}, weight {weight}): {} batches\n", grouped(*batches))?;
    writeln!(f, "{}\n", set_table(&data.sets).trim_fmt())?;
    writeln!(f, "{}\n", lang_table(data).trim_fmt())?;
    let Drawn { batches, rows, texts, tokens, tokens_at_once, repeated, .. } = &data.drawn;
    let spreads = [("rows", rows), ("texts encoded", texts), ("tokens encoded", tokens)];
    writeln!(f, "{}\n", batch_table(*batches, &spreads).trim_fmt())?;
    writeln!(f, "at most {} tokens encoded at once", count(*tokens_at_once))?;
    writeln!(f, "{} rows put back, for a text that their batch held already\n", count(*repeated))
}

fn set_table(sets: &[SetPlan]) -> Table {
    let mut table = table(&["data set", "rows", "rows a batch", "passes"]);
    for set in sets {
        let numbers = [count(set.rows), format!("{:.1}", set.rows_per_batch), format!("{:.2}", set.passes)];
        table.add_row([vec![set.path.display().to_string()], numbers.to_vec()].concat());
    }
    aligned(table, 1)
}

/// Every data set by language, with the language's share of the rows drawn from all of them.
fn lang_table(data: &DataPlan) -> Table {
    let mut table = table(&["data set", "language", "rows", "texts", "tokens", "% of texts cut", "% of rows drawn"]);
    for set in &data.sets {
        for (lang, counts) in &set.langs {
            let drawn = data.drawn.langs.get(lang).filter(|_| counts.rows > 0).copied();
            table.add_row(lang_row(&set.path.display().to_string(), lang, counts, drawn));
        }
    }
    let mut all = LangPlan::default();
    for counts in data.sets.iter().flat_map(|set| set.langs.values()) {
        all.rows += counts.rows;
        all.texts += counts.texts;
        all.tokens += counts.tokens;
        all.cut += counts.cut;
    }
    table.add_row(lang_row("all", "", &all, None));
    aligned(table, 2)
}

fn lang_row(set: &str, lang: &str, counts: &LangPlan, drawn: Option<f64>) -> [String; 7] {
    let LangPlan { rows, texts, tokens, cut } = *counts;
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let [rows_, texts_, tokens] = [rows, texts, tokens].map(count);
    let cut = percent(cut as f64 / texts.max(1) as f64);
    [set.into(), lang.into(), rows_, texts_, tokens, cut, drawn.map_or(String::new(), percent)]
}

fn batch_table(batches: usize, spreads: &[(&str, &Spread)]) -> Table {
    let mut table = table(&[&format!("of {} batches drawn", count(batches)), "mean", "largest"]);
    for (name, spread) in spreads {
        table.add_row([(*name).to_owned(), grouped(spread.mean), count(spread.largest)]);
    }
    aligned(table, 1)
}

fn memory_table(memory: &Memory) -> Table {
    let mut table = table(&["", "MiB"]);
    let Memory { weights, gradients, moments, held, texts, activations, similarities, total, .. } = *memory;
    for (name, bytes) in [
        ("weights", weights),
        ("gradients", gradients),
        ("two moments", moments),
        ("teachers and banks", held),
        ("texts", texts),
        ("activations of the tokens encoded at once", activations),
        ("similarities", similarities),
        ("total", total),
        ("activations without chunk_tokens", memory.activations_without_chunks),
        ("activations of 1,000 tokens", 1000 * memory.activations_per_token),
    ] {
        table.add_row([name.to_owned(), grouped(bytes as f64 / f64::from(1 << 20))]);
    }
    aligned(table, 1)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table
}

/// Sets the columns from `first` on to the right.
fn aligned(mut table: Table, first: usize) -> Table {
    for column in table.column_iter_mut().skip(first) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn count(number: usize) -> String {
    grouped(number as f64)
}
