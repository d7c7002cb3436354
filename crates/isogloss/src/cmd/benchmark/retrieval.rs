//! Benchmarks that rank documents.

use super::encode::{doc_text, encode, query_text, rows, some_queries};
use super::report::View;
use super::words::Indexes;
use super::worst::{Candidate, Place, Worst, of_ranking, surest};
use super::{Judged, Model};
use crate::exit::Fault;
use crate::result::miss::{Miss, Passage};
use crate::run_out::TAG;
use isogloss_dense::{Flat, Index, Side, VectorStore};
use isogloss_ir::protocol::{Corpus, Retrieval, Task};
use isogloss_ir::{Lang, LanguageBias, Pool, Qrels, Query, QueryId, Run, language_bias};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Documents of a query that are kept in a run: at least, and where measures read all.
const KEPT: [usize; 2] = [100, 1000];

/// Ranks read for the languages of what is found first.
const BIAS_DEPTH: usize = 10;

/// Hits in memory at once, about.
const HITS: usize = 4 << 20;

/// The figures of every view, from a model or from runs.
///
/// # Errors
/// The data or runs cannot be read, or the model fails.
pub fn views(judged: &Judged, mut all: Retrieval) -> anyhow::Result<Vec<View>> {
    choose(judged, &mut all);
    some_queries(all.tasks.len(), judged.data)?;
    let mut system = System::new(judged, &all)?;
    let measures: Vec<String> = all.scores.iter().map(ToString::to_string).collect();
    let mut views: Vec<View> = Vec::new();
    let mut worst = Worst::new(judged.worst());
    for (at, task) in all.tasks.iter().enumerate() {
        if !views.iter().any(|view| view.name == task.view) {
            views.push(View::new(task.view, measures.clone()));
        }
        let view = views.iter_mut().find(|view| view.name == task.view).expect("made above");
        let langs = all.langs(task)?;
        let untold = task.qrels.len() - langs.len();
        if untold > 0 && judged.args.lang.is_empty() && task.only.is_none() {
            eprintln!("note: {}: judged queries without text, left out: {untold}", task.name);
        }
        let mut tally = Tally { all: &all, task, langs, view, worst: &mut worst };
        let found = match &mut system {
            System::Vectors(searches) => Cow::Owned(searches.search(task, |part| tally.take(part))?),
            System::Words(indexes) => Cow::Owned(search_words(judged, &all, indexes, task, |part| tally.take(part))?),
            System::Runs(runs) => {
                tally.take(&runs[at]);
                Cow::Borrowed(&runs[at])
            }
        };
        tally.finish();
        view.language_bias = bias(&all, task, &found)?.or(view.language_bias.take());
    }
    views.retain(|view| !view.per_query.is_empty());
    if let Err(error) = worst.fill(&all) {
        // A run can be judged without the documents it names.
        eprintln!("note: the worst queries are kept without texts: {error}");
    }
    for miss in worst.into_misses() {
        views.iter_mut().filter(|view| view.name == miss.view).for_each(|view| view.worst.push(miss.clone()));
    }
    some_queries(views.len(), judged.data)?;
    Ok(views)
}

/// What is judged.
enum System<'a> {
    Vectors(Searches<'a>),
    Words(Indexes<'a>),
    /// A run for each task.
    Runs(Vec<Run>),
}

impl<'a> System<'a> {
    fn new(judged: &'a Judged<'a>, all: &'a Retrieval) -> anyhow::Result<Self> {
        if let Some(model) = &judged.model {
            return Ok(Self::Vectors(Searches::new(judged, model, all)));
        }
        match Indexes::new(judged, all) {
            Some(indexes) => Ok(Self::Words(indexes)),
            None => Ok(Self::Runs(read_runs(judged.run_given()?, &all.tasks)?)),
        }
    }
}

/// Takes the values of a task's questions as they are found.
struct Tally<'a> {
    all: &'a Retrieval,
    task: &'a Task,
    langs: BTreeMap<&'a String, Lang>,
    view: &'a mut View,
    worst: &'a mut Worst,
}

impl Tally<'_> {
    fn take(&mut self, found: &Run) {
        for (query, ranking) in found.iter() {
            if let Some(lang) = self.langs.remove(query) {
                self.insert(query, lang, ranking);
            }
        }
    }

    /// What was not found counts 0.
    fn finish(mut self) {
        let missing = std::mem::take(&mut self.langs);
        self.view.missing += missing.len();
        missing.into_iter().for_each(|(query, lang)| self.insert(query, lang, &[]));
    }

    fn insert(&mut self, query: &str, lang: Lang, ranking: &[(String, f32)]) {
        let judgements = self.task.qrels.get(query).expect("languages are of judged questions");
        let values: Vec<f64> = self.all.scores.iter().map(|score| score.of(ranking, judgements)).collect();
        if self.worst.wants(self.view.name, lang, values[0], surest(ranking)) {
            let (found, gold) = of_ranking(ranking, judgements);
            let (view, measure) = (self.view.name.to_owned(), self.all.scores[0].to_string());
            let query = Passage { id: query.to_owned(), ..Passage::default() };
            let miss = Miss { view, lang, measure, value: values[0], query, found, gold };
            let place = Some(Place { queries: self.task.queries, corpus: self.task.corpus });
            self.worst.offer(self.view.name, Candidate { miss, place });
        }
        self.view.per_query.insert(self.all.full_id(self.task, query), Some(lang), values);
    }
}

/// How much languages are preferred in a pool of several: of a task whose questions and documents name theirs.
fn bias(all: &Retrieval, task: &Task, found: &Run) -> anyhow::Result<Option<LanguageBias>> {
    let langs: BTreeMap<QueryId, Lang> = all.langs(task)?.into_iter().map(|(id, lang)| (id.clone(), lang)).collect();
    if task.lang.is_some() || task.only.is_some() || langs.values().any(|lang| lang.as_str() == "und") {
        return Ok(None);
    }
    let mut qrels = Qrels::default();
    for (query, judged) in task.qrels.iter().filter(|(query, _)| langs.contains_key(*query)) {
        for (doc, grade) in judged {
            qrels.insert(query.clone(), doc.clone(), *grade);
        }
    }
    let ranked = found.iter().flat_map(|(_, hits)| hits.iter().take(BIAS_DEPTH).map(|(doc, _)| doc.as_str()));
    let judged = qrels.iter().flat_map(|(_, judged)| judged.keys().map(String::as_str));
    let named: HashSet<&str> = ranked.chain(judged).collect();
    // A document without language ends the reading: such a pool has no matrix, nor has a run whose documents are not there.
    let docs = all.corpora[task.corpus].docs.read();
    let pool = match docs.and_then(|docs| Pool::of(docs, |id| named.contains(id))) {
        Ok(pool) if pool.langs().count() > 1 => pool,
        _ => return Ok(None),
    };
    if !found.iter().any(|(query, _)| qrels.get(query).is_some()) {
        return Ok(None);
    }
    let bias = language_bias(found, &qrels, &langs, &pool, BIAS_DEPTH);
    Ok(bias.inspect_err(|error| eprintln!("note: no matrix of languages: {error}")).ok())
}

/// Leaves out what is in other languages than those asked for.
fn choose(judged: &Judged, all: &mut Retrieval) {
    all.tasks.retain(|task| task.lang.is_none_or(|lang| judged.wants(lang)));
    for task in all.tasks.iter().filter(|task| task.lang.is_none()) {
        all.queries[task.queries].retain(|query| query.lang.is_none_or(|lang| judged.wants(lang)));
    }
}

/// The run of every task: one file for one task, or a folder with a file for each.
fn read_runs(path: &Path, tasks: &[Task]) -> anyhow::Result<Vec<Run>> {
    match (path.is_dir(), tasks) {
        (true, _) => {
            let file = |task: &Task| path.join(format!("{}.trec", task.name));
            tasks.iter().map(|task| Ok(Run::read(file(task))?)).collect()
        }
        (false, [_]) => Ok(vec![Run::read(path)?]),
        (false, tasks) => {
            let names: Vec<_> = tasks.iter().take(4).map(|task| format!("{}.trec", task.name)).collect();
            let problem =
                format!("there are {} tasks; name a folder with a run for each ({}, …)", tasks.len(), names.join(", "));
            Err(Fault::new(path, problem).into())
        }
    }
}

/// The best documents of a task's questions, as they go into its run.
struct Kept<'a> {
    judged: &'a Judged<'a>,
    task: &'a Task,
    /// Ranks that the measures read; `None` for all.
    read: Option<usize>,
    /// Documents of each question.
    depth: usize,
    run: Run,
}

impl<'a> Kept<'a> {
    fn new(judged: &'a Judged<'a>, all: &Retrieval, task: &'a Task) -> Self {
        let read = all.depth();
        let depth = judged.args.k.unwrap_or_else(|| read.map_or(KEPT[1], |read| read.max(KEPT[0])));
        Self { judged, task, read, depth, run: Run::new() }
    }

    /// Documents of a question that must be found among `all`.
    fn deepest(&self, all: usize) -> usize {
        self.read.map_or(all, |read| read.max(self.depth))
    }

    fn take(&mut self, part: &Run) -> isogloss_ir::Result<()> {
        for (query, hits) in part.iter() {
            self.run.insert(query.clone(), hits[..self.depth.min(hits.len())].to_vec())?;
        }
        Ok(())
    }

    /// Writes the run where there is a folder for it, and returns it.
    fn write(self) -> anyhow::Result<Run> {
        if self.judged.args.out.is_some() && !self.run.is_empty() {
            let folder = self.judged.place.join("runs");
            std::fs::create_dir_all(&folder).map_err(|e| isogloss_ir::Error::io(&folder, e))?;
            self.run.write(folder.join(format!("{}.trec", self.task.name)), TAG)?;
        }
        Ok(self.run)
    }
}

/// Searches words for a task's judged questions, hands over what is found part by part, and writes the run and returns it.
fn search_words(
    judged: &Judged,
    all: &Retrieval,
    indexes: &mut Indexes,
    task: &Task,
    mut tell: impl FnMut(&Run),
) -> anyhow::Result<Run> {
    let mut kept = Kept::new(judged, all, task);
    let k = kept.deepest(indexes.len(task)?);
    let counts = task.only.map(|lang| ids_of(&all.corpora[task.corpus], lang)).transpose()?;
    let judged_here = |query: &&Query| task.qrels.get(&query.id).is_some();
    let asked: Vec<&Query> = all.queries[task.queries].iter().filter(judged_here).collect();
    for batch in asked.chunks((HITS / k.max(1)).max(1)) {
        let part = indexes.search(task, batch, k, counts.as_ref())?;
        tell(&part);
        kept.take(&part)?;
    }
    kept.write()
}

/// A model's searches, each corpus and each set of questions encoded once.
struct Searches<'a> {
    judged: &'a Judged<'a>,
    model: &'a Model,
    all: &'a Retrieval,
    docs: HashMap<usize, Arc<VectorStore>>,
    queries: HashMap<usize, Arc<VectorStore>>,
}

impl<'a> Searches<'a> {
    fn new(judged: &'a Judged<'a>, model: &'a Model, all: &'a Retrieval) -> Self {
        Self { judged, model, all, docs: HashMap::new(), queries: HashMap::new() }
    }

    /// Searches for a task's judged questions, hands over what is found part by part, and writes the run and returns it.
    fn search(&mut self, task: &Task, mut tell: impl FnMut(&Run)) -> anyhow::Result<Run> {
        let (queries, docs) = (self.query_vectors(task.queries)?, self.doc_vectors(task.corpus)?);
        let chosen = task.only.map(|lang| rows_of(&self.all.corpora[task.corpus], lang)).transpose()?;
        let index = match &chosen {
            None => Flat::new(docs.clone()),
            Some(chosen) => Flat::from_vectors(rows(&docs, chosen.iter().copied()))?,
        };
        let mut kept = Kept::new(self.judged, self.all, task);
        let k = kept.deepest(index.len());
        let asked: Vec<usize> = (0..queries.rows()).filter(|row| task.qrels.get(queries.id(*row)).is_some()).collect();
        for batch in asked.chunks((HITS / k.max(1)).max(1)) {
            let found = index.search(rows(&queries, batch.iter().copied()).view(), k);
            let mut part = Run::new();
            for (row, hits) in batch.iter().zip(found) {
                let doc = |row: u32| chosen.as_ref().map_or(row as usize, |chosen| chosen[row as usize]);
                let hits = hits.iter().map(|hit| (docs.id(doc(hit.row)).to_owned(), hit.score));
                part.insert(queries.id(*row), hits.collect())?;
            }
            tell(&part);
            kept.take(&part)?;
        }
        kept.write()
    }

    fn doc_vectors(&mut self, at: usize) -> anyhow::Result<Arc<VectorStore>> {
        if let Some(store) = self.docs.get(&at) {
            return Ok(store.clone());
        }
        let corpus = &self.all.corpora[at];
        let texts = corpus.docs.read()?.map(|doc| doc.map(doc_text));
        let store = Arc::new(encode(self.judged, self.model, texts, Side::Doc, &format!("{}.docs", corpus.name))?);
        self.docs.insert(at, store.clone());
        Ok(store)
    }

    fn query_vectors(&mut self, at: usize) -> anyhow::Result<Arc<VectorStore>> {
        if let Some(store) = self.queries.get(&at) {
            return Ok(store.clone());
        }
        let name = match self.all.queries.len() {
            1 => "queries".to_owned(),
            _ => format!("{}.queries", self.all.corpora[at].name),
        };
        let texts = self.all.queries[at].iter().map(|query| Ok(query_text(query)));
        let store = Arc::new(encode(self.judged, self.model, texts, Side::Query, &name)?);
        self.queries.insert(at, store.clone());
        Ok(store)
    }
}

/// The documents of a corpus in one language.
fn ids_of(corpus: &Corpus, lang: Lang) -> anyhow::Result<HashSet<String>> {
    let mut ids = HashSet::new();
    for doc in corpus.docs.read()? {
        let doc = doc?;
        if doc.lang == Some(lang) {
            ids.insert(doc.id);
        }
    }
    Ok(ids)
}

/// The rows of a corpus in one language.
fn rows_of(corpus: &Corpus, lang: Lang) -> anyhow::Result<Vec<usize>> {
    let mut chosen = Vec::new();
    for (row, doc) in corpus.docs.read()?.enumerate() {
        if doc?.lang == Some(lang) {
            chosen.push(row);
        }
    }
    Ok(chosen)
}
