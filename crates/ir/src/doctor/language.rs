//! Whether texts are in the language that their tag says: scripts, and identification (whatlang) where it can be relied on.
//!
//! Identification errs on short texts, on languages it does not know (which it takes for a related one) and between close
//! relatives. So it is asked of texts of 60 letters or more alone, its word counts where it is confident, relatives count as
//! one, and only a share of a file's texts says anything: a wrong tag is wrong of many. A script says more: one text without
//! a letter of the scripts that its language is written in is wrong by itself.

use super::finding::{Example, keep};
use super::text::letters;
use crate::Lang;
use std::collections::BTreeMap;
use whatlang::Script;

/// Letters from which identification is asked.
const IDENTIFIED: usize = 60;
/// Letters from which a script counts.
const SCRIPT: usize = 20;
/// Share of a text's letters in one script from which it is wholly in it.
const WHOLLY: f64 = 0.95;
/// Characters of a text that identification reads.
const READ: usize = 400;
/// Share of a language's texts in another one from which tags are wrong, and the least number.
const WRONG_SHARE: f64 = 0.2;
const WRONG_TEXTS: u64 = 4;
/// The share for languages that identification does not know.
const UNKNOWN_SHARE: f64 = 0.5;
/// Share of texts without tag in one language from which it is named.
const NAMED_SHARE: f64 = 0.05;

/// So many texts of a tag are asked about, then every such one: identification is slow, and a share needs no more.
const ASKED: u64 = 500;
const THEN_EVERY: u64 = 8;

/// Languages that identification may take for each other: of one line, or relatives of which it knows only some.
const RELATIVES: [&str; 13] = [
    "no nn da sv fo is",
    "hr sr bs sl mk bg cnr",
    "cs sk pl szl csb dsb hsb",
    "id ms jv su ban min bjn ace mad bug tl ceb",
    "zu xh ss nr st tn nso ts ve sn nd sw rw rn ny lg",
    "ru uk be bg mk sr rue",
    "es pt ca gl oc an ast ext mwl it la eo fr ro lmo pms vec scn fur lij nap",
    "ur fa ar ps sd ug ckb pnb",
    "hi mr ne sa bho mai awa mag hne doi kok gom new",
    "tr az tk uz crh gag kk ky tt",
    "nl af li fy nds de vls zea lb",
    "he yi",
    "et fi vro liv",
];

/// Languages close to English, and tags that say nothing of a language.
const NEAR_ENGLISH: &str = "en sco pcm ang jam enm tpi bi gul hwc und mul zxx mis";

/// The languages of a script; several scripts may have the same language.
const SCRIPTS: [(&str, &str); 31] = [
    (
        "Latn",
        "af ak sq an ast ay eu bm br bs ca ceb cs co cy da de en eo es et ee fi fo fr fy ff ga gd gl gn ha hr ht hu id ig ilo is it jv \
         rw rn ki kg ln lb lg lt lv la mg mi mt ms nl nn no nso ny oc om pl pt qu rm ro sk sl sm sn so sq ss st sv sw su sr szl tk tl tn \
         to tr ts tw uz ve vi wo xh yo zu az fil pap pcm sc scn vec nds gsw bal ku kk ky tt crh tg zgh kab tzm shi rom",
    ),
    (
        "Cyrl",
        "ru uk be bg mk sr kk ky tt ba cv tg mn uz az ab os sah udm ce kv myv mdf mhr mrj av lez rue bxr tyv ku tk crh ro rom",
    ),
    ("Grek", "el"),
    ("Armn", "hy"),
    ("Geor", "ka xmf"),
    ("Hebr", "he yi"),
    ("Arab", "ar fa ur ps sd ug ckb ku pnb ks bal lrc mzn glk az ms ha uz kk ky tk tg zgh kab pa tt crh"),
    ("Deva", "hi mr ne sa bho mai awa mag hne doi kok gom new ks sd"),
    ("Beng", "bn as mni bpy"),
    ("Guru", "pa"),
    ("Gujr", "gu"),
    ("Orya", "or sat"),
    ("Taml", "ta"),
    ("Telu", "te"),
    ("Knda", "kn tcy"),
    ("Mlym", "ml"),
    ("Sinh", "si"),
    ("Thai", "th"),
    ("Laoo", "lo"),
    ("Tibt", "bo dz"),
    ("Mymr", "my shn mnw"),
    ("Khmr", "km"),
    ("Ethi", "am ti tig"),
    ("Hang", "ko"),
    ("Kana", "ja"),
    ("Hani", "zh ja ko yue wuu lzh"),
    ("Thaa", "dv"),
    ("Tfng", "zgh kab shi tzm"),
    ("Olck", "sat"),
    ("Mong", "mn"),
    ("Mtei", "mni"),
];

/// The scripts of letters by code point; both kana are `Kana`.
const RANGES: [(u32, u32, &str); 44] = [
    (0x41, 0x24f, "Latn"),
    (0x250, 0x2af, "Latn"),
    (0x370, 0x3ff, "Grek"),
    (0x400, 0x52f, "Cyrl"),
    (0x531, 0x58f, "Armn"),
    (0x5d0, 0x5ff, "Hebr"),
    (0x620, 0x6ff, "Arab"),
    (0x700, 0x74f, "Syrc"),
    (0x750, 0x77f, "Arab"),
    (0x780, 0x7bf, "Thaa"),
    (0x7c0, 0x7ff, "Nkoo"),
    (0x8a0, 0x8ff, "Arab"),
    (0x900, 0x97f, "Deva"),
    (0x980, 0x9ff, "Beng"),
    (0xa00, 0xa7f, "Guru"),
    (0xa80, 0xaff, "Gujr"),
    (0xb00, 0xb7f, "Orya"),
    (0xb80, 0xbff, "Taml"),
    (0xc00, 0xc7f, "Telu"),
    (0xc80, 0xcff, "Knda"),
    (0xd00, 0xd7f, "Mlym"),
    (0xd80, 0xdff, "Sinh"),
    (0xe00, 0xe7f, "Thai"),
    (0xe80, 0xeff, "Laoo"),
    (0xf00, 0xfff, "Tibt"),
    (0x1000, 0x109f, "Mymr"),
    (0x10a0, 0x10ff, "Geor"),
    (0x1100, 0x11ff, "Hang"),
    (0x1200, 0x139f, "Ethi"),
    (0x13a0, 0x13ff, "Cher"),
    (0x1400, 0x167f, "Cans"),
    (0x1780, 0x17ff, "Khmr"),
    (0x1800, 0x18af, "Mong"),
    (0x1c50, 0x1c7f, "Olck"),
    (0x1c90, 0x1cbf, "Geor"),
    (0x1e00, 0x1eff, "Latn"),
    (0x1f00, 0x1fff, "Grek"),
    (0x2d30, 0x2d7f, "Tfng"),
    (0x3040, 0x30ff, "Kana"),
    (0x3400, 0x9fff, "Hani"),
    (0xabc0, 0xabff, "Mtei"),
    (0xac00, 0xd7af, "Hang"),
    (0xfb50, 0xfdff, "Arab"),
    (0xfe70, 0xfeff, "Arab"),
];

/// How many letters of a text are in which script. Han counts as kana or Hangul beside those: then it is Japanese or Korean.
fn scripts_of(text: &str) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        let at = RANGES.partition_point(|(start, _, _)| *start <= c as u32);
        let name = RANGES[..at].last().filter(|(_, end, _)| c as u32 <= *end).map_or("", |(_, _, name)| *name);
        *counts.entry(name).or_default() += 1;
    }
    for with in ["Kana", "Hang"] {
        if counts.contains_key(with) && counts.contains_key("Hani") {
            *counts.entry(with).or_default() += counts.remove("Hani").unwrap_or_default();
        }
    }
    counts
}

/// The script that nearly all letters of a text are in, where there are enough.
fn script(text: &str, counts: &BTreeMap<&'static str, usize>) -> Option<&'static str> {
    let all: usize = counts.values().sum();
    let (name, most) = counts.iter().max_by_key(|(_, count)| **count)?;
    let enough = letters(text) >= SCRIPT && *most as f64 >= WHOLLY * all as f64;
    (enough && !name.is_empty()).then_some(name)
}

/// Whether text in Latin letters is made of sentences, not of names, titles, labels or code: most words begin with a small letter.
fn is_prose(text: &str) -> bool {
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphabetic));
    let (mut all, mut small) = (0, 0);
    for word in words {
        all += 1;
        small += usize::from(word.starts_with(char::is_lowercase) && !word.contains(['/', '_', '=', '@']));
    }
    small >= 8 && 2 * small > all
}

/// The scripts a tag allows: that of its subtag, else those of its language; `None` where they are not known here.
fn scripts(lang: Lang) -> Option<Vec<&'static str>> {
    let named = lang.as_str().split('-').find(|part| part.len() == 4);
    let of = |name: &str| SCRIPTS.iter().find(|(known, _)| *known == name).map(|(known, _)| *known);
    let found: Vec<_> = match named {
        Some("Hans" | "Hant") => vec!["Hani"],
        Some("Jpan") => vec!["Hani", "Kana"],
        Some("Kore") => vec!["Hang", "Hani"],
        Some(name) => of(name).into_iter().collect(),
        None => {
            let code = lang.canonical();
            let has = |langs: &str| langs.split_whitespace().any(|lang| lang == code.as_str());
            SCRIPTS.iter().filter(|(_, langs)| has(langs)).map(|(name, _)| *name).collect()
        }
    };
    (!found.is_empty()).then_some(found)
}

/// The language a text is surely in, and the script that was looked at.
fn identify(text: &str) -> Option<(Lang, Script)> {
    if letters(text) < IDENTIFIED {
        return None;
    }
    let end = text.char_indices().nth(READ).map_or(text.len(), |(at, _)| at);
    let info = whatlang::detect(&text[..end]).filter(whatlang::Info::is_reliable)?;
    Some((info.lang().code().parse::<Lang>().ok()?.canonical(), info.script()))
}

/// The scripts in which identification knows a language: Turkmen in Cyrillic letters may be any to it.
fn known_in(lang: Lang) -> Vec<Script> {
    let is_it = |known: &whatlang::Lang| known.code().parse::<Lang>().is_ok_and(|known| known.canonical() == lang);
    Script::all().iter().copied().filter(|script| script.langs().iter().any(is_it)).collect()
}

fn near_english(tag: Lang) -> bool {
    NEAR_ENGLISH.split_whitespace().any(|code| code == tag.as_str())
}

fn related(a: Lang, b: Lang) -> bool {
    let has = |line: &str, lang: Lang| line.split_whitespace().any(|code| code == lang.as_str());
    a == b || RELATIVES.iter().any(|line| has(line, a) && has(line, b))
}

/// What the texts of one tag look like.
pub(super) struct Tagged {
    lang: Option<Lang>,
    /// The canonical tag, the scripts in which identification knows it, and those it is written in.
    canonical: Option<Lang>,
    known: Vec<Script>,
    scripts: Option<Vec<&'static str>>,
    /// Texts.
    pub texts: u64,
    /// Texts that might be asked about, and of those the texts whose language was identified, and by language those that are in another one.
    long: u64,
    identified: u64,
    others: BTreeMap<Lang, (u64, Vec<Example>)>,
    /// Texts in another script.
    strange: (u64, Vec<Example>),
}

/// Texts of one tag that are in another language.
pub(super) struct Other {
    pub lang: Lang,
    pub found: u64,
    pub of: u64,
    pub examples: Vec<Example>,
}

impl Tagged {
    pub fn new(lang: Option<Lang>) -> Self {
        let canonical = lang.map(|lang| lang.canonical());
        Self {
            lang,
            canonical,
            known: canonical.map_or_else(Vec::new, known_in),
            scripts: lang.and_then(scripts),
            texts: 0,
            long: 0,
            identified: 0,
            others: BTreeMap::new(),
            strange: (0, Vec::new()),
        }
    }

    /// Takes note of a text.
    pub fn add(&mut self, line: usize, text: &str) {
        self.texts += 1;
        let counts = scripts_of(text);
        let script = script(text, &counts);
        if self.is_strange(text, script, &counts) {
            self.strange.0 += 1;
            keep(&mut self.strange.1, line, text);
            return;
        }
        // What mixes scripts (terms, code) is in two languages at once.
        if script.is_none() || letters(text) < IDENTIFIED {
            return;
        }
        self.long += 1;
        if self.long > ASKED && !self.long.is_multiple_of(THEN_EVERY) {
            return;
        }
        let Some((lang, script)) = identify(text) else { return };
        self.identified += 1;
        // A language that identification does not know is taken for its relatives, but not for English.
        let told = |tag: Lang| self.known.contains(&script) || lang.as_str() == "en" && !near_english(tag);
        if self.canonical.is_none_or(|tag| !related(tag, lang) && told(tag)) {
            let other = self.others.entry(lang).or_default();
            other.0 += 1;
            keep(&mut other.1, line, text);
        }
    }

    /// Whether a text is in one script alone, which its tag does not allow. Names, titles and code in Latin letters stand in texts
    /// of every language; so Latin counts only where it is sentences of an identified language.
    fn is_strange(&self, text: &str, script: Option<&str>, counts: &BTreeMap<&str, usize>) -> bool {
        let Some(allowed) = &self.scripts else { return false };
        if allowed.iter().any(|script| counts.contains_key(script)) {
            return false;
        }
        match script {
            Some("Latn") => is_prose(text) && identify(text).is_some(),
            found => found.is_some(),
        }
    }

    /// The texts in another script.
    pub fn strange(&self) -> (u64, &[Example]) {
        (self.strange.0, &self.strange.1)
    }

    /// The languages that a large share of the texts is in, though tagged as another one.
    pub fn others(&self) -> Vec<Other> {
        let wrong = |found: u64| {
            let least = match self.canonical {
                None => NAMED_SHARE,
                Some(_) if self.known.is_empty() => UNKNOWN_SHARE,
                Some(_) => WRONG_SHARE,
            };
            found >= WRONG_TEXTS && found as f64 >= least * self.identified as f64
        };
        let others = self.others.iter().filter(|(_, (found, _))| wrong(*found));
        others
            .map(|(lang, (found, examples))| Other {
                lang: *lang,
                found: *found,
                of: self.identified,
                examples: examples.clone(),
            })
            .collect()
    }

    /// The tag as it was written.
    pub fn lang(&self) -> Option<Lang> {
        self.lang
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(lang: &str, texts: &[&str]) -> Tagged {
        let mut tagged = Tagged::new(lang.parse().ok());
        texts.iter().enumerate().for_each(|(line, text)| tagged.add(line + 1, text));
        tagged
    }

    const GERMAN: &str = "Der Hund des Nachbarn schläft den ganzen Tag unter dem alten Baum im Garten hinter dem Haus.";
    const RUSSIAN: &str = "Сегодня утром мы пошли в библиотеку, чтобы вернуть книги, которые взяли прошлым летом.";

    #[test]
    fn a_script_is_wrong_by_itself_but_names_are_not() {
        assert_eq!(tagged("de", &[GERMAN, RUSSIAN]).strange().0, 1);
        assert_eq!(tagged("ru", &[GERMAN, "Johann Wolfgang von Goethe, Friedrich Schiller", "Hamlet"]).strange().0, 1);
        for lang in ["ja", "ko", "zh-Hant"] {
            assert_eq!(tagged(lang, &["漢字漢字漢字漢字漢字漢字"]).strange().0, 0, "{lang}");
        }
        let mixed = "Edge devices များတွင် hardware limitations are common and memory is scarce in all of them today";
        assert_eq!(
            tagged("my", &[mixed, "see https://example.org/a/long/path/to/a/file.html and Options_Of_It"]).strange().0,
            0
        );
        assert_eq!(tagged("zgh", &["ⵜⴳⴰ ⴳⵍⵓⵔⵢⴰ ⵊⵉⵣⵉⴼⵉⵏ ⵎⴰⵢ ⵙⵡⴰⵏⵙⵓⵏ"]).strange().0, 0);
        assert_eq!(tagged("sr-Latn", &[GERMAN]).strange().0, 0);
        assert_eq!(tagged("ace-Arab", &[GERMAN]).strange().0, 1);
        assert_eq!(tagged("xx", &[RUSSIAN]).strange().0, 0);
    }

    #[test]
    fn many_texts_of_another_language_tell_a_wrong_tag() {
        let four = [GERMAN; 4];
        let names = |tagged: Tagged| tagged.others().iter().map(|o| (o.lang.to_string(), o.found)).collect::<Vec<_>>();
        assert_eq!(names(tagged("fr", &four)), [("de".to_owned(), 4)]);
        assert_eq!(names(tagged("", &four)), [("de".to_owned(), 4)]);
        for same in ["de", "deu", "ger", "lb", "yo"] {
            assert!(names(tagged(same, &four)).is_empty(), "{same}");
        }
        assert!(names(tagged("fr", &four[..2])).is_empty());
        assert!(names(tagged("tk-Cyrl", &[RUSSIAN; 4])).is_empty());
    }

    #[test]
    fn tables_are_sorted_and_of_codes() {
        assert!(RANGES.windows(2).all(|w| w[0].1 < w[1].0));
        for (_, langs) in SCRIPTS {
            assert!(langs.split_whitespace().all(|code| code.parse::<Lang>().is_ok()), "{langs}");
        }
    }
}
