//! Calibration: the vectors of every language moved, scaled and turned so that languages lie on each other.
//!
//! With a language's mean μ, standard deviation σ (per component) and orthogonal matrix W, a vector x becomes
//!
//! ```text
//! shift  x − μ        scale  (x − μ) / σ        rotate  W ((x − μ) / σ)
//! ```
//!
//! and is then brought to length 1 where the model does so. μ and σ are taken from texts of the language alone
//! ([`Moments`]); W turns it onto a target language, by translations ([`Procrustes`]) or by an alignment of the two clouds
//! that [`refine`] completes.

mod csls;
mod moments;
mod procrustes;
mod refine;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use isogloss_ir::Lang;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Side, Vectors};

pub use csls::Csls;
pub use moments::Moments;
pub use procrustes::{Procrustes, Solution, apply_rotation, orthogonalize};
pub use refine::{RefineOptions, Refined, refine};

/// How far a calibration goes; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Every language's mean is subtracted.
    Shift,
    /// Then every component is divided by the language's standard deviation.
    Scale,
    /// Then every language but the target is turned onto the target.
    Rotate,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Shift => "shift",
            Method::Scale => "scale",
            Method::Rotate => "rotate",
        })
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = [Method::Shift, Method::Scale, Method::Rotate].into_iter().find(|m| m.to_string() == name);
        found.ok_or_else(|| Error::UnknownName {
            what: "calibration method",
            name: name.to_owned(),
            known: "shift, scale, rotate",
        })
    }
}

/// What becomes of a text in a language without a fit, or in no known language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is refused.
    #[default]
    Error,
    /// Its vector stays as the model gives it.
    Ignore,
}

impl FromStr for Missing {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "error" => Ok(Missing::Error),
            "ignore" => Ok(Missing::Ignore),
            _ => Err(Error::UnknownName { what: "choice", name: name.to_owned(), known: "error, ignore" }),
        }
    }
}

/// What was learnt of one language.
#[derive(Clone, Debug, PartialEq)]
pub struct LangFit {
    /// Texts it was learnt from.
    pub texts: u64,
    /// μ.
    pub mean: Vec<f32>,
    /// σ, of scale and rotate; a component with σ = 0 is not divided.
    pub std: Option<Vec<f32>>,
    /// W, row-major, of rotate; none for the target language.
    pub rotation: Option<Vec<f32>>,
}

/// What a calibration says of itself besides its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationPlan {
    /// How far it goes.
    pub method: Method,
    /// The language that the others are turned onto; given for rotate alone.
    pub target: Option<Lang>,
    /// Whether it was fitted on vectors of length 1, so that its results are brought to length 1 too.
    pub normalize: bool,
    /// The pooling of the model it was fitted on, by name.
    pub pooling: String,
    /// Role of the texts it was fitted on.
    pub side: Side,
}

/// The fits of all languages of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    plan: CalibrationPlan,
    dim: usize,
    langs: BTreeMap<Lang, LangFit>,
}

impl Calibration {
    /// Joins the fits of languages.
    ///
    /// # Errors
    /// [`Error::CalibrationPart`]: no language; a part of another length; a part that the method needs and a language
    /// lacks, or has beyond it; a number that is not finite; a negative σ; a target without fit.
    pub fn new(plan: CalibrationPlan, dim: usize, langs: BTreeMap<Lang, LangFit>) -> Result<Self> {
        let calibration = Self { plan, dim, langs };
        for (lang, fit) in &calibration.langs {
            calibration.check(*lang, fit)?;
        }
        let target = calibration.plan.target;
        match (calibration.plan.method == Method::Rotate, target) {
            (true, Some(target)) if calibration.langs.contains_key(&target) => Ok(calibration),
            (true, _) => {
                let lang = target.map_or("none".to_owned(), |lang| lang.to_string());
                Err(Error::CalibrationPart { lang, part: "mean", problem: "missing for the target language".into() })
            }
            (false, _) if calibration.langs.is_empty() => {
                Err(Error::CalibrationPart { lang: "any".into(), part: "mean", problem: "missing".into() })
            }
            (false, _) => Ok(calibration),
        }
    }

    fn check(&self, lang: Lang, fit: &LangFit) -> Result<()> {
        let method = self.plan.method;
        let turned = method == Method::Rotate && self.plan.target != Some(lang);
        self.check_part(lang, "mean", Some(&fit.mean), true, self.dim)?;
        self.check_part(lang, "std", fit.std.as_ref(), method >= Method::Scale, self.dim)?;
        self.check_part(lang, "rotation", fit.rotation.as_ref(), turned, self.dim * self.dim)?;
        let wrong = |part, problem: String| Err(Error::CalibrationPart { lang: lang.to_string(), part, problem });
        if let Some(sigma) = fit.std.iter().flatten().find(|sigma| **sigma < 0.0) {
            return wrong("std", format!("{sigma}, must not be negative"));
        }
        let squares = |row: &[f32]| row.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>();
        let long = |row: &&[f32]| (squares(row) - 1.0).abs() > 1e-2;
        match fit.rotation.as_ref().and_then(|w| w.chunks_exact(self.dim.max(1)).find(long)) {
            Some(row) => wrong("rotation", format!("not orthogonal: a row's length is {}", squares(row).sqrt())),
            None => Ok(()),
        }
    }

    fn check_part(
        &self,
        lang: Lang,
        part: &'static str,
        values: Option<&Vec<f32>>,
        wanted: bool,
        len: usize,
    ) -> Result<()> {
        let problem = match (values, wanted) {
            (None, false) => return Ok(()),
            (None, true) => format!("missing, but the method is {}", self.plan.method),
            (Some(_), false) => format!("there, but the method is {} and needs none", self.plan.method),
            (Some(values), true) if values.len() != len => format!("{} numbers, must be {len}", values.len()),
            (Some(values), true) => match values.iter().find(|x| !x.is_finite()) {
                Some(x) => format!("{x}, must be finite"),
                None => return Ok(()),
            },
        };
        Err(Error::CalibrationPart { lang: lang.to_string(), part, problem })
    }

    /// What it says of itself.
    pub fn plan(&self) -> &CalibrationPlan {
        &self.plan
    }

    /// Length of the vectors it takes.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The languages fitted, by code.
    pub fn langs(&self) -> &BTreeMap<Lang, LangFit> {
        &self.langs
    }

    /// The fit of a language, under its own code or another of the same language (`ar`, `ara`); a script or a region is no such code.
    fn fit(&self, lang: Lang) -> Option<&LangFit> {
        let plain = |lang: &Lang| lang.primary() == *lang;
        let same =
            |(fitted, _): &(&Lang, &LangFit)| plain(fitted) && plain(&lang) && fitted.canonical() == lang.canonical();
        self.langs.get(&lang).or_else(|| self.langs.iter().find(same).map(|(_, fit)| fit))
    }

    /// Whether texts of a language can be calibrated.
    ///
    /// # Errors
    /// [`Error::Uncalibrated`] where there is no fit of it, or the language is not known.
    pub fn check_lang(&self, lang: Option<Lang>) -> Result<()> {
        match lang.is_some_and(|lang| self.fit(lang).is_some()) {
            true => Ok(()),
            false => {
                let fitted: Vec<&str> = self.langs.keys().map(Lang::as_str).collect();
                let lang = lang.map_or("no declared language".to_owned(), |lang| format!("language {lang}"));
                Err(Error::Uncalibrated { lang, fitted: fitted.join(", ") })
            }
        }
    }

    /// Calibrates row `i` of `vectors` as a text in `langs[i]`. A row's result depends on that row alone.
    ///
    /// # Errors
    /// [`Error::Uncalibrated`] for a text without a fit, unless `missing` says to leave it; nothing is changed then.
    ///
    /// # Panics
    /// Where there are not as many languages as rows, or the rows have another length.
    pub fn apply(&self, vectors: &mut Vectors, langs: &[Option<Lang>], missing: Missing) -> Result<()> {
        assert_eq!((vectors.len(), vectors.dim()), (langs.len(), self.dim), "a language for every vector");
        if missing == Missing::Error {
            langs.iter().try_for_each(|lang| self.check_lang(*lang))?;
        }
        let mut fits = BTreeMap::new();
        for lang in langs.iter().flatten() {
            fits.entry(*lang).or_insert_with(|| self.fit(*lang));
        }
        let rows = vectors.data_mut().par_chunks_exact_mut(self.dim.max(1)).zip(langs);
        rows.for_each(|(row, lang)| {
            if let Some(fit) = lang.and_then(|lang| fits[&lang]) {
                fit.apply(row);
                if self.plan.normalize {
                    normalize(row);
                }
            }
        });
        Ok(())
    }
}

impl LangFit {
    /// `x` becomes `x − μ`, `(x − μ)/σ` or `W ((x − μ)/σ)`, as far as the fit goes.
    pub fn apply(&self, x: &mut [f32]) {
        match &self.std {
            None => x.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x -= mean),
            Some(std) => {
                for ((x, mean), std) in x.iter_mut().zip(&self.mean).zip(std) {
                    *x = (*x - mean) / if *std > 0.0 { *std } else { 1.0 };
                }
            }
        }
        if let Some(rotation) = &self.rotation {
            let before = x.to_vec();
            apply_rotation(rotation, &before, x);
        }
    }
}

/// Brings a vector to length 1; a vector of length 0 stays.
pub(crate) fn normalize(x: &mut [f32]) {
    let length = x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(code: &str) -> Lang {
        code.parse().unwrap()
    }

    fn plan(method: Method) -> CalibrationPlan {
        let target = (method == Method::Rotate).then(|| lang("en"));
        CalibrationPlan { method, target, normalize: false, pooling: "mean".into(), side: Side::Doc }
    }

    /// A quarter turn for Swahili, nothing but scale for English.
    fn rotated(normalize: bool) -> Calibration {
        let english = LangFit { texts: 9, mean: vec![1.0, 0.0], std: Some(vec![2.0, 0.0]), rotation: None };
        let turn = Some(vec![0.0, -1.0, 1.0, 0.0]);
        let swahili = LangFit { texts: 9, mean: vec![0.0, 1.0], std: Some(vec![0.5, 1.0]), rotation: turn };
        let plan = CalibrationPlan { normalize, ..plan(Method::Rotate) };
        Calibration::new(plan, 2, BTreeMap::from([(lang("en"), english), (lang("sw"), swahili)])).unwrap()
    }

    #[test]
    fn every_row_follows_its_language() {
        let rows = Vectors::new(2, vec![3.0, 5.0, 2.0, 2.0, 7.0, 7.0]).unwrap();
        let langs = [Some(lang("eng")), Some(lang("sw")), None];
        let mut vectors = rows.clone();
        rotated(false).apply(&mut vectors, &langs, Missing::Ignore).unwrap();
        assert_eq!(vectors.data(), [1.0, 5.0, -1.0, 4.0, 7.0, 7.0]);
        let mut vectors = rows.clone();
        rotated(true).apply(&mut vectors, &langs, Missing::Ignore).unwrap();
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((length(vectors.row(0)) - 1.0).abs() < 1e-6 && (length(vectors.row(1)) - 1.0).abs() < 1e-6);
        assert_eq!(vectors.row(2), rows.row(2), "what is not calibrated stays as it is");
    }

    #[test]
    fn a_language_without_a_fit_is_refused_and_changes_nothing() {
        let mut vectors = Vectors::new(2, vec![3.0, 5.0, 2.0, 2.0]).unwrap();
        let before = vectors.clone();
        for (missing, told) in [
            (Some(lang("ko")), "language ko"),
            (Some(lang("en-Dsrt")), "language en-Dsrt"),
            (None, "no declared language"),
        ] {
            let error = rotated(false).apply(&mut vectors, &[Some(lang("en")), missing], Missing::Error).unwrap_err();
            assert!(error.to_string().contains(told) && error.to_string().contains("en, sw"), "{error}");
            assert_eq!(vectors, before);
        }
    }

    #[test]
    fn parts_must_fit_the_method() {
        let fit = |std: Option<Vec<f32>>, rotation| LangFit { texts: 1, mean: vec![0.0; 2], std, rotation };
        let turn = |a: f32| Some(vec![a, 0.0, 0.0, 1.0]);
        let with = |method, code: &str, fit| {
            Calibration::new(plan(method), 2, BTreeMap::from([(lang(code), fit)])).unwrap_err().to_string()
        };
        let ones = || Some(vec![1.0; 2]);
        assert!(with(Method::Scale, "sw", fit(None, None)).contains("sw.std is missing, but the method is scale"));
        assert!(with(Method::Shift, "sw", fit(ones(), None)).contains("sw.std is there, but the method is shift"));
        assert!(with(Method::Rotate, "sw", fit(ones(), None)).contains("sw.rotation is missing"));
        assert!(with(Method::Rotate, "sw", fit(ones(), turn(1.0))).contains("en.mean is missing"));
        assert!(with(Method::Rotate, "en", fit(ones(), turn(1.0))).contains("en.rotation is there"));
        assert!(with(Method::Rotate, "sw", fit(ones(), turn(2.0))).contains("not orthogonal"));
        assert!(with(Method::Scale, "sw", fit(Some(vec![1.0]), None)).contains("1 numbers, must be 2"));
        assert!(with(Method::Scale, "sw", fit(Some(vec![1.0, f32::NAN]), None)).contains("must be finite"));
        assert!(with(Method::Scale, "sw", fit(Some(vec![1.0, -1.0]), None)).contains("negative"));
        assert!(Calibration::new(plan(Method::Shift), 2, BTreeMap::new()).is_err());
    }

    #[test]
    fn names_are_read_as_written() {
        for method in [Method::Shift, Method::Scale, Method::Rotate] {
            assert_eq!(method.to_string().parse::<Method>().unwrap(), method);
        }
        assert!("turn".parse::<Method>().unwrap_err().to_string().contains("shift, scale, rotate"));
        assert!("warn".parse::<Missing>().is_err());
    }
}
