//! Encoder–decoders of every form with a tokenizer: their folder, what they generate, their loss, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use isogloss_engine::{Gradients, Key, Packed, no_grad, op};
use isogloss_model::{
    Beams, Checkpoint, FeedForward, GenerateOptions, Generated, Mt5, Mt5Config, Mt5Family, Sampling, Search, Seq2Seq,
};

const TEXTS: [&str; 5] = [
    "The river is high this year.",
    "Mto umejaa",
    "Where does the train to the coast leave, and when will it come back to us?",
    "x",
    "Seven goats stood on the roof.",
];

fn tokenizer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/encoder/xlmr")
}

/// The first T5's form (tied, plain feed forward) or mT5's.
fn config(family: Mt5Family) -> Mt5Config {
    let t5 = family == Mt5Family::T5;
    Mt5Config {
        family,
        vocab_size: 702,
        d_model: 24,
        d_kv: 5,
        d_ff: 40,
        layers: 2,
        decoder_layers: 1 + usize::from(t5),
        heads: 3,
        buckets: 9,
        max_distance: 13,
        dropout: 0.1,
        norm_eps: 1e-6,
        feed_forward: if t5 { FeedForward::Relu } else { FeedForward::GatedGelu },
        tied: t5,
        scaled: t5,
        pad_id: 1,
        eos_id: 2,
        decoder_start_id: 1,
        prompt: None,
    }
}

fn fresh(family: Mt5Family) -> Seq2Seq {
    Seq2Seq::fresh(&config(family), &tokenizer(), Some(12), Key::new(5)).unwrap()
}

fn searches() -> [GenerateOptions; 3] {
    let options = GenerateOptions { max_new_tokens: 9, ..GenerateOptions::default() };
    let beams = Search::Beam(Beams { beams: 3, early_stopping: false });
    let drawn = Search::Sample(Sampling { temperature: 0.9, top_k: Some(50), top_p: Some(0.95), seed: 11 });
    [
        options,
        GenerateOptions { search: beams, returned: 2, ..options },
        GenerateOptions { search: drawn, returned: 3, ..options },
    ]
}

#[test]
fn a_saved_model_reads_back_and_is_saved_to_the_same_bytes() {
    for family in [Mt5Family::T5, Mt5Family::Mt5] {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("a"), dir.path().join("b"));
        let mut model = fresh(family);
        model.set_prompt(Some("ask in {language}: ".into()));
        model.save(&first).unwrap();
        let read = Seq2Seq::load(first.to_str().unwrap(), Some(12)).unwrap();
        assert_eq!((read.model().config(), read.prompt()), (model.model().config(), Some("ask in {language}: ")));
        for options in searches() {
            let generate = |model: &Seq2Seq| model.generate(&TEXTS, 0, &options).unwrap();
            assert_eq!(generate(&read), generate(&model));
        }
        read.save(&second).unwrap();
        for entry in fs::read_dir(&first).unwrap().map(Result::unwrap) {
            assert!(fs::read(entry.path()).unwrap() == fs::read(second.join(entry.file_name())).unwrap());
        }
        let stored = Checkpoint::open(&first).unwrap();
        let inputs: &[&str] = if family == Mt5Family::T5 { &["wi"] } else { &["wi_0", "wi_1"] };
        for name in inputs {
            stored.take(&format!("decoder.block.0.layer.2.DenseReluDense.{name}.weight"), &[40, 24]).unwrap();
        }
        stored.take("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", &[9, 3]).unwrap();
        stored.take("decoder.block.0.layer.1.EncDecAttention.v.weight", &[15, 24]).unwrap();
        assert_eq!(stored.has("lm_head.weight"), family == Mt5Family::Mt5);
    }
}

#[test]
fn what_is_generated_depends_on_neither_the_batch_nor_the_number_of_threads() {
    let model = fresh(Mt5Family::Mt5);
    let many: Vec<&str> = (0..60).map(|i| TEXTS[i % 5]).collect();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for options in searches() {
        let together = model.generate(&many, 0, &options).unwrap();
        assert_eq!(alone.install(|| model.generate(&many, 0, &options).unwrap()), together);
        for (i, text) in many.iter().enumerate().skip(7).step_by(20) {
            assert_eq!(model.generate(&[text], i as u64, &options).unwrap()[0], together[i]);
        }
        let drawn = matches!(options.search, Search::Sample(_));
        assert_eq!(together[0] == together[5], !drawn, "the same text twice");
    }
}

/// The sum of the log-probabilities of the generated ids, by teacher forcing.
fn log_likelihood(model: &Mt5, source: &[u32], ids: &[u32]) -> f64 {
    let (packed, target) = (Packed::new([source.len()], 0), Packed::new([ids.len() - 1], 0));
    no_grad(|| {
        let memory = model.encode(source, &packed);
        let logits = model.logits(&model.decode(&ids[..ids.len() - 1], &target, &memory, &packed));
        let labels: Vec<Option<usize>> = ids[1..].iter().map(|id| Some(*id as usize)).collect();
        -f64::from(op::cross_entropy(&logits, &labels).item()) * labels.len() as f64
    })
}

#[test]
fn scores_are_those_of_teacher_forcing() {
    for family in [Mt5Family::T5, Mt5Family::Mt5] {
        let model = fresh(family);
        let sources = model.tokenize(&TEXTS).unwrap();
        assert!(sources.iter().all(|source| source.ids.last() == Some(&2) && source.ids.len() <= 12));
        let ids: Vec<&[u32]> = sources.iter().map(|source| source.ids.as_slice()).collect();
        for mut options in searches() {
            options.length_penalty = 0.7;
            for (source, texts) in ids.iter().zip(model.model().generate(&ids, 0, &options)) {
                assert_eq!(texts.len(), options.returned);
                for Generated { ids, score } in texts {
                    assert!(ids[0] == 1 && ids.len() <= 10);
                    let expected = log_likelihood(model.model(), source, &ids) / ((ids.len() - 1) as f64).powf(0.7);
                    assert!((score - expected).abs() < 1e-4, "{score} {expected}");
                }
            }
        }
    }
}

#[test]
fn the_gradient_of_the_loss_equals_finite_differences_dropout_included() {
    for family in [Mt5Family::T5, Mt5Family::Mt5] {
        let mut model = fresh(family);
        let sources = model.tokenize(&TEXTS[..2]).unwrap();
        let targets = model.tokenize_targets(&["the goats", "roof of the river"], 4).unwrap();
        let loss = |model: &Seq2Seq| model.loss(&sources, &targets, 3, 0.1, Some(Key::new(8)));
        let mut gradients = Gradients::default();
        loss(&model).backward(&mut gradients);
        let slopes: Vec<Vec<f32>> =
            model.model().parameters().iter().map(|(_, p)| gradients.get(p).unwrap().data().to_vec()).collect();
        for (which, slope) in slopes.iter().enumerate() {
            let at = (0..slope.len()).max_by(|a, b| slope[*a].abs().total_cmp(&slope[*b].abs())).unwrap();
            let name = model.model().parameters()[which].0.clone();
            let mut moved = |by: f32| {
                model.model_mut().parameters_mut()[which].1.data_mut().unwrap()[at] += by;
                f64::from(no_grad(|| loss(&model)).item())
            };
            let h = 2e-3f32;
            let (above, below) = (moved(h), moved(-2.0 * h));
            moved(h);
            let numeric = (above - below) / (2.0 * f64::from(h));
            let error = (numeric - f64::from(slope[at])).abs();
            // Corners of the first T5's activation lie within the step, and the loss is in single precision.
            assert!(error < 0.03 * f64::from(slope[at].abs()) + 5e-4, "{name}: {} {numeric}", slope[at]);
        }
    }
}

#[test]
fn targets_end_with_the_end_even_when_cut() {
    let model = fresh(Mt5Family::Mt5);
    let ids = model.tokenize_targets(&["Seven goats stood on the roof.", ""], 3).unwrap();
    assert!(ids[0].len() == 3 && ids[0][2] == 2 && ids[1] == [2]);
}

/// What is done to a model's folder, and what is told of it.
type Case<'a> = (&'a dyn Fn(&Path), &'a [&'a str]);

#[test]
fn what_is_no_model_of_the_kind_is_refused_with_its_file() {
    let refused = |change: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("m");
        fresh(Mt5Family::Mt5).save(&folder).unwrap();
        change(&folder);
        Seq2Seq::load(folder.to_str().unwrap(), None).err().expect("a broken model was taken").to_string()
    };
    let edit = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let path = folder.join("config.json");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from));
            fs::write(path, text.replace(from, to)).unwrap();
        }
    };
    let remove = |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).unwrap();
    let cases: [Case; 7] = [
        (&remove("config.json"), &["config.json"]),
        (&remove("model.safetensors"), &["model.safetensors", "save_pretrained"]),
        (&remove("tokenizer.json"), &["tokenizer.json", "save_pretrained"]),
        (&edit("\"mt5\"", "\"bert\""), &["config.json", "model_type", "mt5, t5"]),
        (&edit("\"num_layers\": 2", "\"num_layers\": 3"), &["model.safetensors", "encoder.block.2", "is missing"]),
        (&edit("\"d_ff\": 40", "\"d_ff\": 41"), &["DenseReluDense.wi_0.weight", "[40, 24]", "[41, 24]"]),
        (&edit("\"vocab_size\": 702", "\"vocab_size\": 600"), &["tokenizer.json", "vocabulary size"]),
    ];
    for (change, told) in cases {
        let message = refused(change);
        assert!(told.iter().all(|part| message.contains(part)) && !message.contains('\n'), "{message}");
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let check = |options: GenerateOptions| options.check().unwrap_err().to_string();
    let plain = GenerateOptions::default();
    let drawn = |sampling| GenerateOptions { search: Search::Sample(sampling), ..plain };
    let sampling = Sampling::default();
    let beams = |beams| Search::Beam(Beams { beams, early_stopping: true });
    let cases = [
        (GenerateOptions { max_new_tokens: 0, ..plain }, "max_new_tokens"),
        (GenerateOptions { returned: 2, ..plain }, "num_return"),
        (GenerateOptions { search: beams(0), ..plain }, "beams"),
        (GenerateOptions { search: beams(2), returned: 3, ..plain }, "num_return"),
        (GenerateOptions { length_penalty: f64::NAN, ..plain }, "length_penalty"),
        (drawn(Sampling { temperature: 0.0, ..sampling }), "temperature"),
        (drawn(Sampling { top_k: Some(0), ..sampling }), "top_k"),
        (drawn(Sampling { top_p: Some(1.5), ..sampling }), "top_p"),
    ];
    for (options, name) in cases {
        let message = check(options);
        assert!(message.starts_with(name) && message.contains("must be"), "{message}");
    }
}
