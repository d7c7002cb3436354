//! Means by language with their intervals, as a result keeps them.

use isogloss_ir::bootstrap::Interval;
use isogloss_ir::{Bootstrap, Lang, LanguageBias, PerQuery};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

/// The means of questions that belong together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// The view's name, `all` where there is one.
    pub view: String,
    /// What was measured, the measure to judge by first.
    pub measures: Vec<String>,
    /// Judged questions that were not found and count 0.
    pub missing: usize,
    /// By language.
    pub by_lang: BTreeMap<Lang, Figures>,
    /// Of named groups of languages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Figures>,
    /// The mean of the languages' means.
    pub macro_mean: Figures,
    /// The mean of all questions.
    pub all: Figures,
    /// How much languages were preferred, where documents in several were searched at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_bias: Option<LanguageBias>,
}

/// Means and how sure they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// How many questions.
    pub queries: usize,
    /// By measure.
    pub mean: Named<f64>,
    /// By measure, where they were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Named<Interval>>,
}

/// Values in the order of the measures; a JSON object under their names.
#[derive(Debug, Clone)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(measure, value)| (measure, value)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

struct InOrder<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of values by measure")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Named(all))
    }
}

impl<T: Copy> Named<T> {
    fn new(measures: &[String], values: impl IntoIterator<Item = T>) -> Self {
        Self(measures.iter().cloned().zip(values).collect())
    }

    /// The value of a measure.
    pub fn get(&self, measure: &str) -> Option<T> {
        self.0.iter().find(|(name, _)| name == measure).map(|(_, value)| *value)
    }
}

type Rows<'a> = BTreeMap<Lang, Vec<&'a [f64]>>;

impl Summary {
    /// Averages a view's values, and those of each group of `groups` whose languages are all there.
    pub fn new(
        view: &str,
        per_query: &PerQuery,
        missing: usize,
        groups: &[(&'static str, BTreeSet<Lang>)],
        bootstrap: &Bootstrap,
    ) -> Self {
        let mut rows = Rows::new();
        for (_, lang, values) in per_query.iter() {
            rows.entry(lang.unwrap_or_else(|| "und".parse().expect("a code"))).or_default().push(values);
        }
        let measures = per_query.measures();
        let group =
            |langs: &BTreeSet<Lang>| Figures::of_langs(langs.iter().map(|lang| &rows[lang]), measures, bootstrap);
        let whole = |langs: &BTreeSet<Lang>| !langs.is_empty() && langs.iter().all(|lang| rows.contains_key(lang));
        Self {
            view: view.to_owned(),
            measures: measures.to_vec(),
            missing,
            by_lang: rows.iter().map(|(lang, rows)| (*lang, Figures::of_langs([rows], measures, bootstrap))).collect(),
            groups: groups
                .iter()
                .filter(|(_, langs)| whole(langs))
                .map(|(name, langs)| ((*name).to_owned(), group(langs)))
                .collect(),
            macro_mean: Figures::of_langs(rows.values(), measures, bootstrap),
            all: Figures::of_langs([&rows.values().flatten().copied().collect()], measures, bootstrap),
            language_bias: None,
        }
    }

    /// Languages, groups of them, all of them, all queries.
    pub fn rows(&self) -> impl Iterator<Item = (String, &Figures)> {
        let by_lang = self.by_lang.iter().map(|(lang, figures)| (lang.to_string(), figures));
        let groups = self.groups.iter().map(|(name, figures)| (name.clone(), figures));
        let whole =
            [(format!("{} languages", self.by_lang.len()), &self.macro_mean), ("all queries".into(), &self.all)];
        by_lang.chain(groups).chain(whole)
    }
}

impl Figures {
    /// The mean of the languages' means.
    fn of_langs<'a>(
        langs: impl IntoIterator<Item = &'a Vec<&'a [f64]>>,
        measures: &[String],
        bootstrap: &Bootstrap,
    ) -> Self {
        let groups: Vec<Vec<&[f64]>> = langs.into_iter().cloned().collect();
        let mean = |column: usize| {
            let means = groups.iter().map(|rows| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64);
            means.sum::<f64>() / groups.len() as f64
        };
        let intervals = bootstrap.macro_mean(&groups, measures.len());
        Self {
            queries: groups.iter().map(Vec::len).sum(),
            mean: Named::new(measures, (0..measures.len()).map(mean)),
            interval: (!intervals.is_empty()).then(|| Named::new(measures, intervals)),
        }
    }

    /// The mean by a measure and, where one was drawn, its interval.
    pub fn get(&self, measure: &str) -> Option<(f64, Option<Interval>)> {
        let interval = self.interval.as_ref().and_then(|all| all.get(measure));
        Some((self.mean.get(measure)?, interval))
    }

    /// Each measure with its mean and, where one was drawn, its interval.
    pub fn cells(&self) -> impl Iterator<Item = (&str, f64, Option<Interval>)> {
        let interval = |measure: &str| self.interval.as_ref().and_then(|all| all.get(measure));
        self.mean.0.iter().map(move |(measure, mean)| (measure.as_str(), *mean, interval(measure)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_as_it_was_written() {
        let mut values = PerQuery::new(vec!["nDCG@10".into(), "AP".into()]);
        values.insert("a", "sw".parse().ok(), vec![1.0, 1.0 / 3.0]);
        values.insert("b", "fi".parse().ok(), vec![0.0, 0.5]);
        let groups = [("both", ["sw", "fi"].map(|lang| lang.parse().unwrap()).into())];
        let text = serde_json::to_string(&Summary::new("all", &values, 1, &groups, &Bootstrap::default())).unwrap();
        let read: Summary = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        assert_eq!(read.by_lang[&"sw".parse().unwrap()].get("AP"), Some((1.0 / 3.0, Some([1.0 / 3.0; 2]))));
        assert_eq!(
            read.rows().map(|(over, _)| over).collect::<Vec<_>>(),
            ["fi", "sw", "both", "2 languages", "all queries"]
        );
    }
}
