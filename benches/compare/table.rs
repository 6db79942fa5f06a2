//! Prints what was measured: for each row the programs side by side, the ratio and the target.

use crate::arguments::Arguments;
use crate::rig::proxy::Program;
use crate::rows::{Measured, Row, Sample, Target};

pub fn print_head(programs: &[Program], arguments: &Arguments, apart: bool) {
    println!("compare: medians of the rounds (least to most), in turn: {}", names(programs));
    println!(
        "nbthread 1; the proxy {}; clients and origin in one other thread{}",
        if apart { "alone on one processor" } else { "shares the only processor" },
        if arguments.quick { "; quick: few requests, expect noise" } else { "" }
    );
}

/// False if a target was measured and missed.
pub fn print_row(row: &Row, programs: &[Program], measured: &[Measured]) -> bool {
    println!("\n{} ({})", row.title, row.name);
    for (program, samples) in programs.iter().zip(measured) {
        match samples {
            Ok(samples) => println!("  {:<22} {}", program.name, described(row, samples)),
            Err(error) => println!("  {:<22} not measured: {error:#}", program.name),
        }
    }
    let (line, met) = verdict(row, measured);
    println!("  {line}");
    met
}

fn verdict(row: &Row, measured: &[Measured]) -> (String, bool) {
    let Some(Ok(ours)) = measured.first() else { return ("ours did not run".into(), false) };
    let cost = median(ours, |sample| sample.cost);
    let ratio = match measured.get(1) {
        Some(Ok(reference)) => Some(median_ratio(ours, reference)),
        _ => None,
    };
    let (found, most, what) = match row.target {
        Target::Ratio(most) => (ratio, most, "ratio"),
        Target::Absolute(most) => (Some(cost), most, row.unit),
    };
    let Some(found) = found else { return ("no reference, no ratio".into(), true) };
    let met = found <= most;
    let aside = match (&row.target, ratio) {
        (Target::Absolute(_), Some(ratio)) => format!("; ratio {ratio:.2}"),
        _ => String::new(),
    };
    let verdict = if met { "met" } else { "NOT MET" };
    (format!("{what} {found:.2}, at most {most}: {verdict}{aside}"), met)
}

fn described(row: &Row, samples: &[Sample]) -> String {
    let cost = median(samples, |sample| sample.cost);
    let least = samples.iter().map(|sample| sample.cost).fold(f64::INFINITY, f64::min);
    let most = samples.iter().map(|sample| sample.cost).fold(0.0, f64::max);
    let mut line = format!("{cost:8.2} {} ({least:.2} to {most:.2})", row.unit);
    if samples.iter().all(|sample| sample.split.is_some()) {
        let user = median(samples, |sample| sample.split.map_or(0.0, |split| split.0));
        let system = median(samples, |sample| sample.split.map_or(0.0, |split| split.1));
        line += &format!("  user {user:.2} system {system:.2}");
    }
    if samples.iter().all(|sample| sample.load.is_some()) {
        let rate = median(samples, |sample| sample.load.map_or(0.0, |load| load.0));
        let p50 = median(samples, |sample| sample.load.map_or(0.0, |load| load.1));
        let p99 = median(samples, |sample| sample.load.map_or(0.0, |load| load.2));
        line += &format!("  {rate:.0}/s  p50 {p50:.0} µs  p99 {p99:.0} µs");
    }
    if samples.iter().all(|sample| sample.wall.is_some()) {
        let wall = median(samples, |sample| sample.wall.unwrap_or(0.0));
        line += &format!("  {wall:.1} ms on the wall");
    }
    line
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    middle(samples.iter().map(of).collect())
}

/// Of the rounds' own ratios: what disturbs the machine disturbs both halves of a round.
fn median_ratio(ours: &[Sample], reference: &[Sample]) -> f64 {
    middle(ours.iter().zip(reference).map(|(ours, other)| ours.cost / other.cost).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

fn names(programs: &[Program]) -> String {
    programs.iter().map(|program| program.name.as_str()).collect::<Vec<_>>().join(", ")
}
