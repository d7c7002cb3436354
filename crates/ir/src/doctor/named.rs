//! Ids: those that records have, and those that judgements, runs and other rows name.

use super::finding::{Check, Findings};
use crate::error::snippet;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64;

/// A file and which others its ids belong to.
type Of = (usize, usize);

/// The ids of files that belong together, by their 64-bit hashes: two of ten million are the same by chance in 1 of 370,000 cases.
#[derive(Default)]
struct Scope {
    docs: HashSet<u64>,
    queries: HashMap<u64, (usize, u32)>,
    judged: HashSet<u64>,
    /// Judged queries without and with a relevant document: file and line of the first judgement.
    irrelevant: BTreeMap<String, (usize, usize)>,
    relevant: HashSet<u64>,
}

/// The ids of all files.
pub(super) struct Ids {
    scopes: Vec<Scope>,
    /// The lines of records by file and id.
    lines: HashMap<(usize, u64), u32>,
    /// Judgements and hits by file.
    pairs: HashSet<(usize, u64)>,
    /// Ids named by rows, and whether each is a query's; looked up when all files are read.
    named: Vec<(Of, usize, String, bool)>,
}

impl Ids {
    pub fn new(scopes: usize) -> Self {
        let scopes = (0..scopes).map(|_| Scope::default()).collect();
        Self { scopes, lines: HashMap::new(), pairs: HashSet::new(), named: Vec::new() }
    }

    /// Takes note of a record's id.
    pub fn insert(&mut self, findings: &mut Findings, (file, scope): Of, line: usize, id: &str, is_query: bool) {
        if id.trim().is_empty() {
            return findings.add(file, Check::EmptyId, "", line, "");
        }
        let hash = xxh3_64(id.as_bytes());
        match self.lines.entry((file, hash)) {
            Entry::Occupied(first) => {
                let text = format!("{} stands in line {}, too", snippet(id), first.get());
                findings.add(file, Check::DuplicateId, "", line, text);
            }
            Entry::Vacant(entry) => drop(entry.insert(line as u32)),
        }
        let scope = &mut self.scopes[scope];
        match is_query {
            true => drop(scope.queries.entry(hash).or_insert((file, line as u32))),
            false => drop(scope.docs.insert(hash)),
        }
    }

    /// Takes note of an id that a row names.
    pub fn name(&mut self, of: Of, line: usize, id: &str, is_query: bool) {
        self.named.push((of, line, id.to_owned(), is_query));
    }

    /// Takes note of a judgement.
    pub fn judge(&mut self, findings: &mut Findings, of: Of, line: usize, ids: [&str; 2], relevant: bool) {
        self.look_up(findings, of, line, ids, [Check::UnknownQuery, Check::UnknownDoc]);
        let hash = xxh3_64(ids[0].as_bytes());
        let scope = &mut self.scopes[of.1];
        scope.judged.insert(hash);
        match relevant {
            true => {
                scope.relevant.insert(hash);
                scope.irrelevant.remove(ids[0]);
            }
            false if scope.relevant.contains(&hash) => {}
            false => drop(scope.irrelevant.entry(ids[0].to_owned()).or_insert((of.0, line))),
        }
    }

    /// Takes note of a document found for a query.
    pub fn hit(&mut self, findings: &mut Findings, of: Of, line: usize, ids: [&str; 2]) {
        self.look_up(findings, of, line, ids, [Check::RunQueryUnknown, Check::RunDocUnknown]);
    }

    fn look_up(&mut self, findings: &mut Findings, of: Of, line: usize, ids: [&str; 2], checks: [Check; 2]) {
        for (at, id) in ids.into_iter().enumerate() {
            if self.is_unknown(of.1, id, at == 0) {
                findings.add(of.0, checks[at], "", line, snippet(id));
            }
        }
        let pair = xxh3_64(format!("{}\0{}", ids[0], ids[1]).as_bytes());
        if !self.pairs.insert((of.0, pair)) {
            findings.add(
                of.0,
                Check::DuplicateJudgement,
                "",
                line,
                format!("{} for {}", snippet(ids[1]), snippet(ids[0])),
            );
        }
    }

    /// Whether the files of a scope should know an id and do not; what was named one by one may belong to any folder.
    fn is_unknown(&self, scope: usize, id: &str, is_query: bool) -> bool {
        let hash = xxh3_64(id.as_bytes());
        let scopes = if scope == 0 { &self.scopes[..] } else { std::slice::from_ref(&self.scopes[scope]) };
        let (mut some, mut found) = (false, false);
        for scope in scopes {
            some |= if is_query { !scope.queries.is_empty() } else { !scope.docs.is_empty() };
            found |= if is_query { scope.queries.contains_key(&hash) } else { scope.docs.contains(&hash) };
        }
        some && !found
    }

    /// Tells what shows when all files are read.
    pub fn finish(&self, findings: &mut Findings) {
        for (of, line, id, is_query) in &self.named {
            if self.is_unknown(of.1, id, *is_query) {
                let check = if *is_query { Check::UnknownQuery } else { Check::UnknownDoc };
                findings.add(of.0, check, "named by a row", *line, snippet(id));
            }
        }
        for scope in &self.scopes {
            for (query, (file, line)) in &scope.irrelevant {
                findings.add(*file, Check::NothingRelevant, "", *line, snippet(query));
            }
            if scope.judged.is_empty() {
                continue;
            }
            let mut unjudged: Vec<_> =
                scope.queries.iter().filter(|(id, _)| !scope.judged.contains(id)).map(|(_, at)| *at).collect();
            unjudged.sort_unstable();
            for (file, line) in unjudged {
                findings.add(file, Check::Unjudged, "", line as usize, "");
            }
        }
    }
}
