//! The benchmarks there are, where their files come from, and what they look like.

use crate::exit::Fault;
use crate::sheet::{Form, Sheet};
use isogloss_ir::protocol::{
    Retrieval, Sentences, beir, belebele, lareqa, miracl, mr_tydi, ntrex, squad, tatoeba, xquad,
};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A benchmark.
pub struct Benchmark {
    /// As the command line names it.
    pub name: &'static str,
    /// What is searched and measured.
    what: &'static str,
    /// Where the files are published.
    pub source: &'static str,
    licence: &'static str,
    size: &'static str,
    /// What --data names.
    pub layout: &'static str,
    /// Its files on the hub; none where it is not there in this layout.
    pub on_hub: &'static [OnHub],
    /// How it is read and judged.
    pub kind: Kind,
}

/// Files of a data set on the hub.
pub struct OnHub {
    /// `owner/name`; `{}` stands for a set's name.
    pub set: &'static str,
    /// What the paths of wanted files start with, contain and end with.
    pub starts: &'static str,
    pub contains: &'static str,
    pub ends: &'static str,
    /// What goes before a file's name below the benchmark's folder; without it the path stays.
    pub to: Option<&'static str>,
}

const BEIR: &[OnHub] = &[
    OnHub { set: "BeIR/{}", starts: "", contains: "", ends: ".jsonl.gz", to: Some("") },
    OnHub { set: "BeIR/{}-qrels", starts: "", contains: "", ends: "test.tsv", to: Some("qrels/") },
];
const BELEBELE: &[OnHub] =
    &[OnHub { set: "facebook/belebele", starts: "data/", contains: "", ends: ".jsonl", to: Some("") }];
const MIRACL: &[OnHub] = &[
    OnHub { set: "miracl/miracl", starts: "miracl-v1.0-", contains: "/topics/", ends: "-dev.tsv", to: None },
    OnHub { set: "miracl/miracl", starts: "miracl-v1.0-", contains: "/qrels/", ends: "-dev.tsv", to: None },
    OnHub {
        set: "miracl/miracl-corpus",
        starts: "miracl-corpus-v1.0-",
        contains: "/docs-",
        ends: ".jsonl.gz",
        to: None,
    },
];

/// How a benchmark is judged.
pub enum Kind {
    /// By the ranks of documents.
    Retrieval(fn(&Path) -> isogloss_ir::Result<Retrieval>),
    /// By nearest translations.
    Sentences(fn(&Path) -> isogloss_ir::Result<Sentences>, Measured),
    /// By answers in the first tokens found.
    XorRetrieve,
    /// By answers in the first passages found.
    Mkqa,
}

/// What is measured of translations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Accuracy of the nearest.
    Accuracy,
    /// That, and the xSIM error.
    AccuracyAndXsim,
}

/// All of them.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        name: "beir",
        what: "any collection in the BEIR layout; nDCG@10, R@100, by the queries' languages",
        source: "https://github.com/beir-cellar/beir",
        licence: "each set its own",
        size: "3.6 thousand to 15 million documents",
        layout: "a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv or qrels.tsv, plain, .gz or .zst",
        on_hub: BEIR,
        kind: Kind::Retrieval(|path| beir::read(path, None)),
    },
    Benchmark {
        name: "belebele",
        what: "questions over 488 passages in 122 languages; nDCG@10 of X→X, X→en, en→X",
        source: "https://github.com/facebookresearch/belebele",
        licence: "CC BY-SA 4.0",
        size: "900 questions a language",
        layout: "a folder with eng_Latn.jsonl and other languages' files",
        on_hub: BELEBELE,
        kind: Kind::Retrieval(belebele::read),
    },
    Benchmark {
        name: "flores",
        what: "sentences in 200 languages, to and from English; accuracy, xSIM error",
        source: "https://github.com/openlanguagedata/flores",
        licence: "CC BY-SA 4.0",
        size: "1,012 sentences a language (devtest)",
        layout: "a folder with eng_Latn.devtest and other languages' files, or one with devtest/",
        on_hub: &[],
        kind: Kind::Sentences(ntrex::read, Measured::AccuracyAndXsim),
    },
    Benchmark {
        name: "lareqa",
        what: "XQuAD-R: sentences of 11 languages in one pool; mAP@20, mAP, merged pool and own language's",
        source: "https://github.com/google-research-datasets/lareqa",
        licence: "CC BY-SA 4.0",
        size: "13 thousand sentences, 13 thousand questions",
        layout: "a folder with ar.json, de.json, … of xquad-r, or one with xquad-r/",
        on_hub: &[],
        kind: Kind::Retrieval(lareqa::read),
    },
    Benchmark {
        name: "miracl",
        what: "questions of 18 languages over their Wikipedias; nDCG@10, R@100 (dev)",
        source: "https://huggingface.co/datasets/miracl/miracl and miracl-corpus",
        licence: "Apache-2.0 (text: CC BY-SA)",
        size: "0.05 to 33 million passages a language",
        layout: "a folder with miracl-v1.0-xx/{topics,qrels} and miracl-corpus-v1.0-xx/docs-*.jsonl.gz",
        on_hub: MIRACL,
        kind: Kind::Retrieval(miracl::read),
    },
    Benchmark {
        name: "mkqa",
        what: "questions in 26 languages over English Wikipedia; R@20, R@100 by answers found",
        source: "https://github.com/apple/ml-mkqa; passages: DPR's psgs_w100.tsv",
        licence: "CC BY-SA 3.0 (passages: CC BY-SA)",
        size: "6,620 questions a language, 21 million passages",
        layout: "a folder with mkqa.jsonl[.gz] and psgs_w100.tsv[.gz] (or corpus.jsonl)",
        on_hub: &[],
        kind: Kind::Mkqa,
    },
    Benchmark {
        name: "mr-tydi",
        what: "questions of 11 languages over their Wikipedias; RR@100, R@100 (test)",
        source: "https://github.com/castorini/mr.tydi",
        licence: "Apache-2.0 (text: CC BY-SA)",
        size: "0.1 to 33 million passages a language",
        layout: "a folder with mrtydi-v1.1-arabic/{collection/docs.jsonl.gz,topic.test.tsv,qrels.test.txt} and others",
        on_hub: &[],
        kind: Kind::Retrieval(mr_tydi::read),
    },
    Benchmark {
        name: "ntrex",
        what: "news in 128 languages, to and from English; accuracy, xSIM error",
        source: "https://github.com/MicrosoftTranslator/NTREX",
        licence: "CC BY-SA 4.0",
        size: "1,997 sentences a language",
        layout: "a folder with newstest2019-src.eng.txt and newstest2019-ref.xxx.txt, or a table `lang idx text`",
        on_hub: &[],
        kind: Kind::Sentences(ntrex::read, Measured::AccuracyAndXsim),
    },
    Benchmark {
        name: "squad",
        what: "the SQuAD family: each question finds its paragraph among its file's; nDCG@10, R@100",
        source: "https://rajpurkar.github.io/SQuAD-explorer and its translations",
        licence: "each set its own",
        size: "2 to 20 thousand questions",
        layout: "a .json file, or a folder of them named after languages (xquad.ar.json)",
        on_hub: &[],
        kind: Kind::Retrieval(|path| squad::read(path, None)),
    },
    Benchmark {
        name: "tatoeba",
        what: "sentences in 112 languages, to and from English; accuracy, means of 36 and 14 languages",
        source: "https://github.com/facebookresearch/LASER (data/tatoeba/v1)",
        licence: "CC BY 2.0 FR",
        size: "up to 1,000 pairs a language",
        layout: "a folder with tatoeba.xxx-eng.xxx and tatoeba.xxx-eng.eng, or a table `lang idx src eng`",
        on_hub: &[],
        kind: Kind::Sentences(tatoeba::read, Measured::Accuracy),
    },
    Benchmark {
        name: "xor-retrieve",
        what: "questions of 7 languages over English Wikipedia; R@2kt, R@5kt by answers found (dev)",
        source: "https://nlp.cs.washington.edu/xorqa; passages: DPR's psgs_w100.tsv",
        licence: "MIT (text: CC BY-SA)",
        size: "2,113 questions, 18 million passages",
        layout: "a folder with xor_dev_retrieve_eng_span_v1_1.jsonl and, but for predictions, psgs_w100.tsv",
        on_hub: &[],
        kind: Kind::XorRetrieve,
    },
    Benchmark {
        name: "xquad",
        what: "XQuAD: questions over 240 paragraphs in 12 languages; nDCG@10 of X→X, X→en, en→X",
        source: "https://github.com/google-deepmind/xquad",
        licence: "CC BY-SA 4.0",
        size: "1,190 questions a language",
        layout: "a folder with xquad.en.json and other languages' files",
        on_hub: &[],
        kind: Kind::Retrieval(xquad::read),
    },
];

/// The benchmark of a name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Benchmark, Fault> {
    let found = BENCHMARKS.iter().find(|benchmark| benchmark.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
        Fault::option(
            "NAME",
            format!("unknown benchmark {name:?}; known are {}, and list tells of them", known.join(", ")),
        )
    })
}

/// Prints all benchmarks.
///
/// # Errors
/// Those of stdout.
pub fn list(form: Form) -> anyhow::Result<()> {
    const HEADER: [&str; 6] = ["name", "what", "source", "licence", "size", "data"];
    let cells = |b: &Benchmark| [b.name, b.what, b.source, b.licence, b.size, b.layout];
    let mut out = BufWriter::new(io::stdout().lock());
    if form.json {
        let object = |b: &Benchmark| HEADER.into_iter().zip(cells(b)).collect::<std::collections::BTreeMap<_, _>>();
        serde_json::to_writer_pretty(&mut out, &BENCHMARKS.iter().map(object).collect::<Vec<_>>())
            .map_err(io::Error::from)?;
        writeln!(out)?;
    } else if form.csv || form.markdown {
        let mut sheet = Sheet::new(HEADER);
        BENCHMARKS.iter().for_each(|b| sheet.push(cells(b).map(str::to_owned).into()));
        if form.csv { sheet.write_csv(&mut out)? } else { sheet.write(true, &mut out)? }
    } else {
        for b in BENCHMARKS {
            writeln!(
                out,
                "{}\n  {}\n  --data: {}\n  {}; {}\n  {}\n",
                b.name, b.what, b.layout, b.size, b.licence, b.source
            )?;
        }
    }
    out.flush()?;
    Ok(())
}
