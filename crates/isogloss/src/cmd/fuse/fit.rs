//! `isogloss fuse --fit`: the weight of the second run, for all languages and for each.

use super::{Args, check_floors, depths, langs, read};
use crate::exit::Fault;
use crate::run_out::write;
use crate::sheet::{Form, Sheet};
use isogloss_ir::fusion::{Fit, FitOptions, LangFit, fit};
use isogloss_ir::{Floor, Qrels, Scale, fuse_by};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Fits, writes weights and run where they are asked for, and prints what the weights give.
pub fn run(qrels: &Path, args: &Args) -> anyhow::Result<()> {
    let mut options = options(args)?;
    if args.runs.len() != 2 {
        return Err(Fault::option("--fit", "weighs the second of two runs; give two").into());
    }
    let queries = args.queries.as_ref().expect("required by --fit");
    let (qrels, langs, runs) = (Qrels::read(qrels)?, langs(queries)?, read(args)?);
    let runs: [_; 2] = runs.try_into().expect("counted");
    check_floors(&runs, &options.floors, args)?;
    options.depths = depths(&runs, args).try_into().expect("counted");
    let fit = fit(&runs, &qrels, &langs, &options)?;
    if let Some(path) = &args.fitted {
        fit.weights.write(path)?;
    }
    if let Some(path) = &args.out {
        let filled = Floor::filled(&options.floors, &options.depths);
        let with = |query: &str| fit.weights.fusion(langs.get(query).copied()).filled(&filled);
        let fused = fuse_by(&runs, with, args.k)?;
        write(&fused, Some(path))?;
    }
    print(&fit, args)
}

fn options(args: &Args) -> anyhow::Result<FitOptions> {
    let Some(scale) = args.fusion.scale()? else {
        let problem = "rrf has no weight to fit; choose minmax, zscore, mrtydi or sum";
        return Err(Fault::option("--method", problem).into());
    };
    let most = args.fit_most.unwrap_or(if scale == Scale::Centred { 2.0 } else { 1.0 });
    if !(most.is_finite() && most > 0.0) {
        return Err(Fault::option("--fit-most", "must be a finite number above 0").into());
    }
    let alphas = FitOptions::grid(most, args.fit_steps);
    let floors = args.fusion.floors(2)?.to_vec();
    let folds = args.folds.into();
    Ok(FitOptions { scale, floors, depths: [args.k; 2], measure: args.measure, alphas, k: args.k, folds })
}

fn print(fit: &Fit, args: &Args) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let sheet = sheet(fit, args);
    match args.form {
        Form { json: true, .. } => {
            serde_json::to_writer_pretty(&mut out, fit).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Form { csv: true, .. } => sheet.write_csv(&mut out)?,
        Form { markdown, .. } => {
            sheet.write(markdown, &mut out)?;
            let hurt: Vec<String> = fit.hurt().map(|lang| lang.to_string()).collect();
            let told = if hurt.is_empty() { "none".to_owned() } else { hurt.join(", ") };
            writeln!(out, "languages in which one weight for all is worse than the better run alone: {told}")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn sheet(fit: &Fit, args: &Args) -> Sheet {
    let [first, second] = [0, 1].map(|at| args.runs[at].display().to_string());
    let one = format!("one weight ({})", fit.weights.all);
    let mut sheet = Sheet::new([
        fit.measure.to_string(),
        "queries".into(),
        first,
        second,
        one,
        "own weight".into(),
        "its value".into(),
        "held out".into(),
    ]);
    let mut push = |name: String, weight: String, of: &LangFit| {
        let values = [of.alone[0], of.alone[1], of.one, of.own, of.held_out].map(|value| format!("{value:.4}"));
        let [first, second, one, own, held_out] = values;
        sheet.push(vec![name, of.queries.to_string(), first, second, one, weight, own, held_out]);
    };
    for (lang, of) in &fit.langs {
        push(lang.to_string(), fit.weights.langs[lang].to_string(), of);
    }
    push(format!("{} languages", fit.langs.len()), String::new(), &fit.mean);
    sheet
}
