//! A calibrated model's vectors of some sentences, before and after.

use super::Args;
use crate::exit::Fault;
use crate::input::Input;
use crate::report::{Calibrated, Projection};
use isogloss_dense::Encoder;
use isogloss_ir::{Lang, each_document};
use isogloss_model::{BiEncoder, Overrides};
use std::collections::BTreeMap;

/// Encodes the first texts of each language and projects them.
///
/// # Errors
/// The model has no calibration, or none for a text's language; a text names no language; a file cannot be read.
pub fn calibrated(model: &str, args: &Args) -> anyhow::Result<Calibrated> {
    let folder = isogloss_model::resolve(model)?;
    let encoder = BiEncoder::load(model, &Overrides::default())?;
    let Some(calibration) = encoder.calibration() else {
        return Err(Fault::new(&folder, "is not calibrated; isogloss calibrate does that").into());
    };
    encoder.check_calibration().map_err(|e| Fault::new(&folder, format!("{e}; calibrate it anew")))?;
    let (langs, texts) = texts(&encoder, args)?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let known: Vec<Option<Lang>> = langs.iter().copied().map(Some).collect();
    let side = calibration.plan().side;
    let before = encoder.encode_tokens(&encoder.tokenize(&texts, side)?);
    let after = encoder.encode_in(&texts, &known, side).map_err(|error| anyhow::anyhow!(error))?;
    Ok(Calibrated {
        model: model.to_owned(),
        method: calibration.plan().method.to_string(),
        before: Projection::new(&before, &langs),
        after: Projection::new(&after, &langs),
        langs,
    })
}

/// The first texts of each language, as many as asked for, and their languages.
fn texts(encoder: &BiEncoder, args: &Args) -> anyhow::Result<(Vec<Lang>, Vec<String>)> {
    let mut by_lang: BTreeMap<Lang, Vec<String>> = BTreeMap::new();
    for input in &args.text {
        each_document(&input.path, None, input.lang, |document| {
            let lang = document.lang.ok_or_else(|| unnamed(input))?;
            if let Some(calibration) = encoder.calibration() {
                let fault = |e: isogloss_dense::Error| Fault::new(&input.path, format!("{e}; leave its texts out"));
                calibration.check_lang(Some(lang)).map_err(fault)?;
            }
            let of_lang = by_lang.entry(lang).or_default();
            let wanted = args.sample.saturating_sub(of_lang.len());
            of_lang.extend(document.body.parts().into_iter().filter(|text| !text.trim().is_empty()).take(wanted));
            anyhow::Ok(())
        })?;
    }
    let each = by_lang.into_iter().flat_map(|(lang, texts)| texts.into_iter().map(move |text| (lang, text)));
    let (langs, texts): (Vec<Lang>, Vec<String>) = each.unzip();
    if texts.len() < 3 {
        return Err(Fault::option("--text", "needs three texts at least to make a picture of").into());
    }
    Ok((langs, texts))
}

fn unnamed(input: &Input) -> Fault {
    let problem = format!("a text names no language; give the records a `lang`, or declare it as LANG={input}");
    Fault::new(&input.path, problem)
}
