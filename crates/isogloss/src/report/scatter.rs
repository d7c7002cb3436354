//! Sentences in the plane, coloured by language, before calibration and after.

use super::markup::Text;
use super::projection::Projection;
use isogloss_ir::Lang;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Units of a picture's side, and of the room around the points.
const SIDE: f64 = 400.0;
const ROOM: f64 = 12.0;

/// A model's vectors of the same sentences before and after its calibration.
pub struct Calibrated {
    /// The model's name.
    pub model: String,
    /// What was done to the vectors.
    pub method: String,
    /// The language of every sentence.
    pub langs: Vec<Lang>,
    /// As the model gives them.
    pub before: Projection,
    /// Calibrated.
    pub after: Projection,
}

/// Both pictures beside each other.
pub fn section(calibrated: &Calibrated) -> String {
    let Calibrated { model, method, langs, before, after } = calibrated;
    let known: Vec<Lang> = langs.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let legend: String = known.iter().enumerate().map(|(at, lang)| legend_of(at, known.len(), *lang)).collect();
    let pictures = picture("before", before, langs, &known) + &picture("after", after, langs, &known);
    format!(
        "<p>{}: {} sentences in {} languages, calibration by {}. Variance between the languages: {:.1} % before, {:.1} % after.</p>\n\
         <ul class=\"legend\">{legend}</ul>\n<div class=\"pair\">\n{pictures}</div>\n\
         <p class=\"dim\">Each picture has its own two principal components; the variance between languages is that of all dimensions.</p>\n",
        Text(model),
        langs.len(),
        known.len(),
        Text(method),
        before.between_langs * 100.0,
        after.between_langs * 100.0
    )
}

fn legend_of(at: usize, of: usize, lang: Lang) -> String {
    let mut svg = String::from("<svg aria-hidden=\"true\">");
    mark(at, of, 6.0, 6.0, 4.5, &mut svg);
    format!("<li>{svg}</svg>{lang}</li>")
}

fn picture(name: &str, projection: &Projection, langs: &[Lang], known: &[Lang]) -> String {
    let largest = projection.points.iter().flatten().fold(1e-12, |most: f64, x| most.max(x.abs()));
    let place = |x: f64| SIDE / 2.0 + x / largest * (SIDE / 2.0 - ROOM);
    let [first, second] = projection.explained.map(|share| share * 100.0);
    let caption = format!("{name}: {first:.1} % and {second:.1} % of the variance along the axes");
    let mut svg = format!("<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {SIDE} {SIDE}\">\n", Text(&caption));
    let middle = SIDE / 2.0;
    let _ = writeln!(svg, "<line class=\"grid\" x1=\"0\" x2=\"{SIDE}\" y1=\"{middle}\" y2=\"{middle}\"/>");
    let _ = writeln!(svg, "<line class=\"grid\" y1=\"0\" y2=\"{SIDE}\" x1=\"{middle}\" x2=\"{middle}\"/>");
    for ([x, y], lang) in projection.points.iter().zip(langs) {
        let at = known.binary_search(lang).unwrap_or_default();
        mark(at, known.len(), place(*x), place(-*y), 3.0, &mut svg);
        svg.push('\n');
    }
    format!("<figure>{svg}</svg><figcaption>{}</figcaption></figure>\n", Text(&caption))
}

/// A language's mark: hues apart evenly, not quite around so that the last is not like the first, and four shapes, so that
/// neighbours in hue differ in shape.
fn mark(at: usize, of: usize, x: f64, y: f64, size: f64, svg: &mut String) {
    let hue = 360 * at / (of + 1);
    let shape = match at % 4 {
        0 => format!("circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{size}\""),
        1 => format!("rect x=\"{:.1}\" y=\"{:.1}\" width=\"{s}\" height=\"{s}\"", x - size, y - size, s = 2.0 * size),
        2 => format!(
            "polygon points=\"{x:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"",
            y - size * 1.2,
            x + size * 1.2,
            y + size,
            x - size * 1.2,
            y + size
        ),
        _ => format!(
            "polygon points=\"{x:.1},{:.1} {:.1},{y:.1} {x:.1},{:.1} {:.1},{y:.1}\"",
            y - size * 1.3,
            x + size * 1.3,
            y + size * 1.3,
            x - size * 1.3
        ),
    };
    let _ = write!(svg, "<{shape} style=\"fill:hsl({hue} 70% var(--dot))\" fill-opacity=\"0.75\"/>");
}
