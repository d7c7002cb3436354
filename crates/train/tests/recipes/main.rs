//! Every recipe through its run file: eight examples are learnt by heart, every option counts, an interrupted run ends as an uninterrupted one, and
//! what cannot work is refused before any data is read.

#[path = "../../../engine/tests/cuda_host/mod.rs"]
mod cuda_host;
mod held_out;
mod on_gpu;
mod options;
mod overfit;
mod refused;
mod resumed;

use std::fs;
use std::path::{Path, PathBuf};

use isogloss_model::{BiEncoder, Overrides, Pooling};
use isogloss_train::{Observer, Outcome, RunConfig, StepLog, train};
use serde_json::Value;

const ENGLISH: [&str; 8] = [
    "The river is high this year.",
    "My sister sells bread at the market.",
    "Where does the train to the coast leave?",
    "Seven goats stood on the roof.",
    "He wrote the letter with his left hand.",
    "A storm broke the old bridge.",
    "Please close the window before night.",
    "The doctor came from another town.",
];
const SWAHILI: [&str; 8] = [
    "Mto umejaa mwaka huu.",
    "Dada yangu anauza mkate sokoni.",
    "Treni ya pwani inaondokea wapi?",
    "Mbuzi saba walisimama juu ya paa.",
    "Aliandika barua kwa mkono wa kushoto.",
    "Dhoruba ilivunja daraja la zamani.",
    "Tafadhali funga dirisha kabla ya usiku.",
    "Daktari alitoka mji mwingine.",
];
const PASSAGES: [&str; 8] = [
    "Rain in the hills fills the valley from April on.",
    "Loaves are baked at four and sold by noon.",
    "Platform two serves the coast, platform three the lake.",
    "Goats climb whatever carries them.",
    "Left-handed writers smudge their ink.",
    "Stone arches fail when the ground under them is washed away.",
    "Mosquitoes come in after dark.",
    "Small towns share one physician.",
];

/// A folder with data, and the runs on it.
struct Folder(tempfile::TempDir);

/// Does not follow.
struct Silent;

impl Observer for Silent {
    fn step(&mut self, _: &StepLog, _: usize) {}
    fn evaluated(&mut self, _: usize, _: &str, _: f64, _: bool) {}
}

fn backbone(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/encoder").join(name)
}

fn jsonl(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| format!("{row}\n")).collect()
}

impl Folder {
    /// Eight rows of everything that a recipe reads.
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let pairs = (0..8).map(|i| format!("en\tsw\t{}\t{}\n", ENGLISH[i], SWAHILI[i]));
        folder.write("pairs.tsv", &format!("src_lang\ttgt_lang\tsrc\ttgt\n{}", pairs.collect::<String>()));
        let labelled = |i: usize| serde_json::json!({"query": ENGLISH[i], "pos": [PASSAGES[i]], "neg": []});
        folder.write("labelled.jsonl", &jsonl((0..8).map(labelled)));
        let clear = |i: usize| {
            let (n, m) = ((i + 1) % 8, (i + 3) % 8);
            serde_json::json!({
                "anchor": ENGLISH[i], "positive": PASSAGES[i], "negative_1": format!("{} Indeed.", PASSAGES[n]),
                "negative_2": format!("{} Truly.", PASSAGES[m]), "cross_anchor": SWAHILI[i],
                "neg_query_1": format!("{} Kweli.", SWAHILI[n]), "lang": "en", "cross_lang": "sw",
            })
        };
        folder.write("clear.jsonl", &jsonl((0..8).map(clear)));
        let document = |(id, lang, sentences): (usize, &str, &[&str])| serde_json::json!({"id": id.to_string(), "lang": lang, "sentences": sentences});
        let documents =
            [(0, "en", &ENGLISH[..4]), (1, "sw", &SWAHILI[..4]), (2, "en", &PASSAGES[..4]), (3, "sw", &SWAHILI[4..])];
        folder.write("documents.jsonl", &jsonl(documents.into_iter().map(document)));
        let pair = |i: usize| {
            document((
                i,
                if i < 4 { "en" } else { "sw" },
                &[[ENGLISH[i], PASSAGES[i]], [SWAHILI[i], SWAHILI[(i + 4) % 8]]][i / 4],
            ))
        };
        let teacher = Overrides { pooling: Some(Pooling::Mean), ..Overrides::default() };
        let teacher = BiEncoder::load(backbone("xlmr").to_str().unwrap(), &teacher).unwrap();
        teacher.save(&folder.path("teacher")).unwrap();
        folder.write("two_units.jsonl", &jsonl((0..8).map(pair)));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The run file of these tests with the given tables; `@name` in them stands for the file of that name.
    fn config(&self, out: &str, steps: usize, tables: &str) -> Result<RunConfig, isogloss_train::Error> {
        let (out, backbone) = (self.path(out), backbone("xlmr"));
        let backbone = backbone.display();
        let model = match tables.contains("query_generation") {
            true => format!(
                "dropout = false\n[model.new]\narchitecture = \"mt5\"\ntokenizer = \"{backbone}\"\nhidden_size = 32\nlayers = 1\n\
                 heads = 2\nintermediate_size = 48"
            ),
            false => format!("path = \"{backbone}\"\npooling = \"mean\"\ndropout = false"),
        };
        let head = format!(
            "out = \"{}\"\n[model]\n{model}\n[optimizer]\nlearning_rate = 3e-3\nweight_decay = 0.0\n[schedule]\nsteps = {steps}\n\
             warmup = 0\ndecay = \"constant\"\n",
            out.display(),
        );
        self.write("run.toml", &(head + &tables.replace('@', &format!("{}/", self.0.path().display()))));
        RunConfig::read(&self.path("run.toml"))
    }

    fn train(&self, config: RunConfig, resume: bool) -> Result<Outcome, isogloss_train::Error> {
        train(config, resume, &mut Silent)
    }

    /// Trains and gives the lines of the log.
    fn run(&self, out: &str, steps: usize, text: &str) -> Vec<Value> {
        let config = self.config(out, steps, text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        self.train(config, false).unwrap_or_else(|e| panic!("{e}\n{text}"));
        self.log(out)
    }

    fn log(&self, out: &str) -> Vec<Value> {
        let log = fs::read_to_string(self.path(out).join("log.jsonl")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A term of a line of the log.
fn term(line: &Value, name: &str) -> f64 {
    line["terms"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// Every recipe with its data, as a run file has it.
const RECIPES: [(&str, &str); 7] = [
    ("contrastive", "[recipe]\nname = \"contrastive\"\n[[data]]\npath = \"@labelled.jsonl\"\n[batch]\nrows = 8\n"),
    (
        "la_mir",
        "[recipe]\nname = \"la_mir\"\ntexts = 8\nunit_tokens = 20\n[[data]]\npath = \"@pairs.tsv\"\n[[data]]\n\
         path = \"@documents.jsonl\"\nrole = \"text\"\n[batch]\nrows = 8\n",
    ),
    ("clear", "[recipe]\nname = \"clear\"\n[[data]]\npath = \"@clear.jsonl\"\n[batch]\nrows = 8\n"),
    (
        "ccp",
        "[recipe]\nname = \"ccp\"\nunit_tokens = 2\nbank = 8\nwarm_up_batches = 5\nmonitor_every = 2\n[[data]]\n\
         path = \"@two_units.jsonl\"\n[batch]\nrows = 8\n",
    ),
    ("mlm", "[recipe]\nname = \"mlm\"\n[[data]]\npath = \"@documents.jsonl\"\n[batch]\nrows = 8\n"),
    (
        "distill",
        "[recipe]\nname = \"distill\"\nteacher = \"@teacher\"\n[[data]]\npath = \"@pairs.tsv\"\n[batch]\nrows = 8\n",
    ),
    (
        "query_generation",
        "[recipe]\nname = \"query_generation\"\n[[data]]\npath = \"@labelled.jsonl\"\nlang = \"en\"\n[batch]\nrows = 8\n",
    ),
];

/// The run file of a recipe.
fn recipe(name: &str) -> String {
    let (_, text) = RECIPES.iter().find(|(known, _)| *known == name).unwrap();
    text.to_string()
}

/// The run file of a recipe with more options of it.
fn with(name: &str, options: &str) -> String {
    recipe(name).replacen(&format!("name = \"{name}\"\n"), &format!("name = \"{name}\"\n{options}\n"), 1)
}
