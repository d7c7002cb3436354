//! What cannot work is refused with its key and a cure, before data is read: the data sets named here do not exist.

use super::*;

fn refusal(text: &str) -> String {
    let text = text.replace("@", "@missing/");
    match Folder::new().config("out", 3, &text) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("taken: {text}"),
    }
}

#[test]
fn a_precision_that_has_no_gradient_or_is_unknown() {
    for (precision, cure) in [("int8", "train in bf16 or f32"), ("f16", "known: f32, bf16, int8")] {
        let folder = Folder::new();
        folder.config("out", 3, &recipe("contrastive")).unwrap();
        let text = fs::read_to_string(folder.path("run.toml")).unwrap();
        folder.write("narrow.toml", &text.replacen("[model]\n", &format!("[model]\nprecision = \"{precision}\"\n"), 1));
        let refusal = RunConfig::read(&folder.path("narrow.toml")).unwrap_err().to_string();
        assert!(refusal.contains("model.precision") && refusal.contains(cure), "{refusal}");
    }
}

#[test]
fn values_out_of_range() {
    for (name, option, key) in [
        ("la_mir", "semantic_weight = -1.0", "recipe.semantic_weight"),
        ("la_mir", "language_weight = nan", "recipe.language_weight"),
        ("la_mir", "semantic_temperature = 0.0", "recipe.semantic_temperature"),
        ("la_mir", "variant = \"both\"", "variant"),
        ("la_mir", "temperature = 0.05", "temperature"),
        ("clear", "alpha = 0.9", "recipe.alpha"),
        ("clear", "beta = -0.1", "recipe.alpha"),
        ("clear", "scale = 0.0", "recipe.scale"),
        ("ccp", "temperature = 0.0", "recipe.temperature"),
        ("ccp", "window = 0", "recipe.window"),
        ("ccp", "head = { momentum = 0.0 }", "recipe.head.momentum"),
        ("ccp", "head = { depth = 3 }", "depth"),
        ("mlm", "masked = 1.5", "recipe.masked"),
        ("mlm", "mask_token = 0.95", "recipe.mask_token"),
        ("distill", "temperature = -1.0", "recipe.temperature"),
        ("query_generation", "label_smoothing = 1.0", "recipe.label_smoothing"),
        ("query_generation", "max_query_tokens = 0", "recipe.max_query_tokens"),
        ("query_generation", "temperature = 1.0", "temperature"),
        ("distill", "follow = \"kl\"\nprojection = true", "recipe.projection"),
    ] {
        let refusal = refusal(&with(name, option));
        assert!(refusal.contains(key), "{name} {option}: {refusal}");
    }
}

#[test]
fn the_language_loss_alone() {
    let alone = refusal(&with("la_mir", "semantic_weight = 0.0"));
    assert!(alone.contains("alone") && alone.contains("[[task]]"), "{alone}");
    let nothing = refusal(&with("la_mir", "semantic_weight = 0.0\nlanguage_weight = 0.0"));
    assert!(nothing.contains("nothing to train"), "{nothing}");
}

#[test]
fn data_that_does_not_fit_the_recipe() {
    let no_text = recipe("la_mir").replace("role = \"text\"\n", "");
    assert!(refusal(&no_text).contains("needs text without translation"));
    let unused = with("la_mir", "language_weight = 0.0");
    assert!(refusal(&unused).contains("unused"));
    let role = recipe("clear").replace("[[data]]\n", "[[data]]\nrole = \"text\"\n");
    assert!(refusal(&role).contains("data.role"));
    let lang = recipe("ccp").replace("[[data]]\n", "[[data]]\nlang = \"not a language\"\n");
    assert!(refusal(&lang).contains("not a language"));
}

#[test]
fn mixtures_that_say_two_things() {
    let both = recipe("clear") + "[[task]]\n[task.recipe]\nname = \"mlm\"\n[[task.data]]\npath = \"@x\"\n";
    assert!(refusal(&both).contains("[[task]]"));
    assert!(refusal("[batch]\nrows = 2\n").contains("recipe"));
    let cut = recipe("ccp") + "[matryoshka]\ndims = [8]\n";
    assert!(refusal(&cut).contains("fixed width"));
    let share = "[[task]]\nshare = 0.0\n[task.recipe]\nname = \"mlm\"\n[[task.data]]\npath = \"@x\"\n";
    assert!(refusal(share).contains("task.share"));
}

#[test]
fn models_that_do_not_fit_the_recipe() {
    let generator = recipe("query_generation");
    assert!(refusal(&(generator.clone() + "[matryoshka]\ndims = [8]\n")).contains("no embeddings"));
    let watched = generator.clone() + "[evaluate]\nevery = 1\nparallel = \"@x\"\n";
    let ranked = refusal(&(watched.clone() + "measure = \"nDCG@10\"\n"));
    assert!(ranked.contains("evaluate.measure") && ranked.contains("perplexity or loss"), "{ranked}");
    assert!(refusal(&watched.replace("every = 1", "every = 0")).contains("evaluate.every"));
    assert!(refusal(&(watched + "corpus = \"@c\"\n")).contains("parallel alone"));
    let other = "[[task]]\n[task.recipe]\nname = \"mlm\"\n[[task.data]]\npath = \"@x\"\n";
    let task = generator.replace("[recipe]", "[[task]]\n[task.recipe]").replace("[[data]]", "[[task.data]]");
    let both = task.replace("[batch]", "[task.batch]") + other;
    assert!(refusal(&both).contains("runs of their own"));
    let folder = Folder::new();
    folder.config("out", 1, &generator).unwrap();
    let text = fs::read_to_string(folder.path("run.toml")).unwrap();
    let read = |from: &str, to: &str| {
        assert!(text.contains(from));
        folder.write("run.toml", &text.replace(from, to));
        RunConfig::read(&folder.path("run.toml")).unwrap_err().to_string()
    };
    for (from, to, told) in [
        ("dropout = false", "pooling = \"cls\"", "model.pooling"),
        ("dropout = false", "query_prompt = \"q: \"", "model.query_prompt"),
        ("\"mt5\"", "\"xlm_roberta\"", "model.new.architecture"),
        ("name = \"query_generation\"", "name = \"mlm\"", "model.new.architecture"),
    ] {
        let message = read(from, to);
        assert!(message.contains(told), "{message}");
    }
    folder.write("run.toml", &text.replace("heads = 2", "heads = 5"));
    let config = RunConfig::read(&folder.path("run.toml")).unwrap();
    assert!(folder.train(config, false).unwrap_err().to_string().contains("heads that divide hidden_size"));
}

#[test]
fn queries_without_the_language_that_the_prompt_names() {
    let folder = Folder::new();
    let text = recipe("query_generation").replace("lang = \"en\"\n", "");
    let config = folder.config("out", 1, &text).unwrap();
    let error = folder.train(config, false).unwrap_err().to_string();
    assert!(error.contains("labelled.jsonl:1: ") && error.contains("`lang`"), "{error}");
    let pairs = text.replace("labelled.jsonl", "bare.tsv").replace("[[data]]\n", "[[data]]\nformat = \"parallel\"\n");
    folder.write("bare.tsv", "ein Wort\tone word\n");
    let error = folder.train(folder.config("out", 1, &pairs).unwrap(), false).unwrap_err().to_string();
    assert!(error.contains("bare.tsv: the source of pair 1") && error.contains("data.lang"), "{error}");
    folder.run("bare", 1, &text.replace("[[data]]", "prompt = \"ask: \"\n[[data]]"));
}

#[test]
fn documents_without_language_in_ccp() {
    let folder = Folder::new();
    folder.write("bare.jsonl", "{\"id\":\"1\",\"sentences\":[\"a b\",\"c d\"]}\n");
    let text = recipe("ccp").replace("two_units", "bare");
    let config = folder.config("out", 1, &text).unwrap();
    let error = folder.train(config, false).unwrap_err().to_string();
    assert!(error.contains("bare.jsonl") && error.contains("lang"), "{error}");
    let declared = text.replace("[[data]]\n", "[[data]]\nlang = \"sw\"\n");
    folder.run("declared", 1, &declared);
}

#[test]
fn clear_rows_without_the_other_language() {
    let folder = Folder::new();
    folder.write("bare.jsonl", "{\"anchor\":\"a\",\"positive\":\"b\",\"negative_1\":\"c\"}\n");
    let config = folder.config("out", 1, &recipe("clear").replace("clear.jsonl", "bare.jsonl")).unwrap();
    let error = folder.train(config, false).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("cross_anchor"), "{error}");
}
