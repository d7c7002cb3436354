//! How many rows of golden files each chain gives exactly: `analyzer_goldens DIR [LANG|ja:DICTIONARY…]`, DIR with
//! `<lang>.jsonl.zst` of `{"text": …, "tokens": […]}`; those that differ go to stderr.

use isogloss_ir::reader::Lines;
use isogloss_lexical::{Field, analyzer::LANGS};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Row {
    text: String,
    tokens: Vec<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (folder, asked) = args.split_first().ok_or("name the folder of the golden files")?;
    let all = LANGS.map(str::to_owned);
    for name in if asked.is_empty() { &all } else { asked } {
        let lang = name.split(':').next().unwrap_or_default();
        let analyzer = format!("lucene:{name}").parse::<Field>()?.analyzer(&|_| unreachable!("no subwords"))?;
        let mut lines = Lines::open(&Path::new(folder).join(format!("{lang}.jsonl.zst")))?;
        let (mut line, mut rows, mut equal) = (String::new(), 0, 0);
        while lines.next_content(&mut line)? {
            let row: Row = serde_json::from_str(&line)?;
            let got = analyzer.tokens(&row.text)?;
            rows += 1;
            match got == row.tokens {
                true => equal += 1,
                false => eprintln!("{lang}\t{:?}\n  want {:?}\n  got  {got:?}", row.text, row.tokens),
            }
        }
        println!("{lang}\t{equal} of {rows} rows");
    }
    Ok(())
}
