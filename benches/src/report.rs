//! The report: the results as Markdown, with a table for each part.

use crate::cases::RAW;
use crate::machine::Machine;
use crate::parts::{Timed, Unit, find};
use crate::results::{Busy, Outcome, PartResult, Results, Row, Times, Verdict};
use crate::statistics::Summary;
use std::fmt::Write;

/// The file name of a part's plot.
pub fn plot_name(part: &PartResult) -> String {
    format!("{}.svg", part.name)
}

/// The whole report.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from(
        "# What a spawn costs\n\n\
         `cargo run --release --manifest-path benches/Cargo.toml` generates this report. `results.json` has the same\n\
         numbers.\n\
         \n\
         A time is the time from the start of one spawn of a tiny static program to the end of the wait for it.\n\
         The tables show medians and, in parentheses, the quartiles. The benchmark measured all cases of a part in\n\
         one run: in each round it measured a block of spawns of each case in each state of the parent, in an\n\
         order that differs from round to round. The first spawns of a block are not part of the results. Each\n\
         state of the parent has a process of its own, and a second one for the cases that start threads; if a part\n\
         has only one state, there are five of each. The benchmark divides a part into at most 16 periods, and gives\n\
         the median of their ratios: the ratio of two cases in each period is that of their medians in this period,\n\
         so that the machine's speed at that time is in both. The parent has one thread and may use one processor, unless a\n\
         part says otherwise. Some parts measure something else than such a spawn, as they say.\n",
    );
    if results.quick {
        text.push_str("\n**This was a quick run: the numbers are less exact than those of a full run.**\n");
    }
    paragraph(&mut text, &machine(&results.machine, results.seconds));
    paragraph(&mut text, &format!("## Goals\n\n{}", verdicts(&results.goals)));
    for part in &results.parts {
        let (title, timed) =
            find(&part.name).map_or((part.name.as_str(), Timed::default()), |part| (part.title, part.timed));
        paragraph(&mut text, &format!("## {title}\n\n![{title}]({})\n", plot_name(part)));
        let tables = match &part.outcome {
            Outcome::Times(times) if times.points.len() == 1 => one_point(times, timed),
            Outcome::Times(times) => many_points(times, timed.unit()),
            Outcome::Busy(busy) => busy_table(busy),
        };
        paragraph(&mut text, &tables);
        let remarks: String = part.remarks.iter().map(|remark| format!("- {remark}\n")).collect();
        paragraph(&mut text, &remarks);
    }
    text
}

fn paragraph(text: &mut String, next: &str) {
    if !next.is_empty() {
        text.push('\n');
        text.push_str(next);
    }
}

/// A table. Its first column is aligned to the left, and the other columns to the right.
fn table(head: &[String], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|---|{}\n", head.join(" | "), "---:|".repeat(head.len() - 1));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn strings<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

fn machine(machine: &Machine, seconds: u64) -> String {
    let Machine { cpu, cores, memory, kernel, libc, rustc, compared, date } = machine;
    format!(
        "- machine: {cpu}, {cores} cores, {:.1} GiB of memory\n- kernel: {kernel}\n\
         - compiler: {rustc}; C library: {libc}\n- compared packages: {compared}\n\
         - date: {date}; the run took {seconds} s\n",
        *memory as f64 / 1024.0
    )
}

fn verdicts(verdicts: &[Verdict]) -> String {
    let row = |verdict: &Verdict| {
        let digits = if verdict.most == 0.0 { 0 } else { 3 };
        let measured = verdict.measured.map(|measured| format!("{measured:.digits$}"));
        let word = match verdict.is_met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "not measured",
        };
        let bound = if verdict.most == 0.0 { "0".to_owned() } else { format!("≤ {}", verdict.most) };
        vec![verdict.goal.clone(), bound, measured.unwrap_or_default(), word.to_owned()]
    };
    table(&strings(["case", "goal", "measured", ""]), verdicts.iter().map(row))
}

fn one_point(times: &Times, timed: Timed) -> String {
    let (raw, unit) = (times.row(RAW).and_then(|row| row.cells[0].as_ref()), timed.unit());
    let rows = times.rows.iter().map(|row| match &row.cells[0] {
        Some(cell) => vec![
            row.case.clone(),
            time(cell, unit),
            in_unit(cell.least, unit),
            ratio(cell, raw),
            cell.count.to_string(),
        ],
        None => vec![row.case.clone(), String::new(), String::new(), String::new(), "0".to_owned()],
    });
    table(&strings(["case", unit.name, "minimum", "ratio to the raw limit", timed.plural()]), rows)
}

fn many_points(times: &Times, unit: Unit) -> String {
    let raw = times.row(RAW);
    let itself = format!("ratio to the same case at \"{}\"", times.points[0]);
    let mut tables = vec![
        by_point(times, unit.name, |_, _, cell| time(cell, unit)),
        by_point(times, "ratio to the raw limit at the same point", |_, index, cell| {
            ratio(cell, raw.and_then(|raw| raw.cells[index].as_ref()))
        }),
        by_point(times, &itself, |row, _, cell| ratio(cell, row.cells[0].as_ref())),
    ];
    if times.rows.iter().any(|row| !row.processor_times.is_empty()) {
        let corner = format!("processor time of the parent, {}", unit.name);
        tables.push(by_point(times, &corner, |row, index, _| {
            row.processor_times.get(index).and_then(Option::as_ref).map_or(String::new(), |cell| time(cell, unit))
        }));
    }
    if times.rows.iter().any(|row| !row.memory.is_empty()) {
        tables.push(by_point(times, "growth of the resident memory, divided by the size", |row, index, _| {
            row.memory.get(index).copied().flatten().map_or(String::new(), |memory| format!("{memory:.2}"))
        }));
    }
    tables.join("\n")
}

/// A table with a row for each case and a column for each state.
fn by_point(times: &Times, corner: &str, show: impl Fn(&Row, usize, &Summary) -> String) -> String {
    let head: Vec<String> = std::iter::once(corner.to_owned()).chain(times.points.iter().cloned()).collect();
    let rows = times.rows.iter().map(|row| {
        let cells = row.cells.iter().enumerate();
        let cells = cells.map(|(index, cell)| cell.as_ref().map_or(String::new(), |cell| show(row, index, cell)));
        std::iter::once(row.case.clone()).chain(cells).collect()
    });
    table(&head, rows)
}

fn busy_table(busy: &Busy) -> String {
    let rows = busy.rows.iter().map(|row| vec![row.case.clone(), row.refused.to_string()]);
    table(&["case".to_owned(), format!("failed of {}", grouped(busy.programs as u64))], rows)
}

/// A median with its quartiles.
fn time(cell: &Summary, unit: Unit) -> String {
    let [median, lower, upper] = [cell.median, cell.lower, cell.upper].map(|time| in_unit(time, unit));
    format!("{median} ({lower} to {upper})")
}

/// The ratio of two cases, with at least three digits.
fn ratio(cell: &Summary, base: Option<&Summary>) -> String {
    match base.map(|base| cell.ratio(base)) {
        None => String::new(),
        Some(ratio) if ratio < 10.0 => format!("{ratio:.2}"),
        Some(ratio) if ratio < 100.0 => format!("{ratio:.1}"),
        Some(ratio) => grouped(ratio.round() as u64),
    }
}

/// Nanoseconds in a unit, with at least three digits.
pub fn in_unit(nanoseconds: u64, unit: Unit) -> String {
    if nanoseconds < 100 * unit.nanoseconds {
        format!("{:.1}", nanoseconds as f64 / unit.nanoseconds as f64)
    } else {
        grouped((nanoseconds + unit.nanoseconds / 2) / unit.nanoseconds)
    }
}

/// A number with a comma before every third digit from the end.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goals;
    use crate::results::BusyRow;

    fn cell(median: u64) -> Option<Summary> {
        Summary::of(&[vec![median]], 1)
    }

    #[test]
    fn numbers_are_grouped_and_rounded() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(133_000_000), "133,000,000");
        let [micro, milli] = [Timed::Spawn, Timed::Transfer].map(Timed::unit);
        assert_eq!(in_unit(49_149, micro), "49.1");
        assert_eq!(in_unit(99_999, micro), "100.0");
        assert_eq!(in_unit(133_499_600, micro), "133,500");
        assert_eq!(in_unit(99_940_000, milli), "99.9");
        assert_eq!(in_unit(133_499_600, milli), "133");
    }

    #[test]
    fn tables_compare_with_the_raw_limit_and_with_the_first_point() {
        let row = |case: &str, cells: [u64; 2]| Row {
            case: case.to_owned(),
            cells: cells.map(cell).into(),
            ..Row::default()
        };
        let points = vec!["0".to_owned(), "8 GiB".to_owned()];
        let times = Times { points, rows: vec![row(RAW, [50_000, 100_000]), row("std", [75_000, 300_000])] };
        let text = many_points(&times, Timed::Spawn.unit());
        assert!(text.contains("| std | 75.0 (75.0 to 75.0) | 300 (300 to 300) |"), "{text}");
        assert!(text.contains("| std | 1.50 | 3.00 |"), "{text}");
        assert!(text.contains("| std | 1.00 | 4.00 |"), "{text}");
    }

    #[test]
    fn cells_that_were_not_measured_are_empty() {
        let rows = vec![
            Row { case: RAW.to_owned(), cells: vec![cell(50_000), None], ..Row::default() },
            Row { case: "std".to_owned(), cells: vec![None, cell(75_000)], ..Row::default() },
        ];
        let text = many_points(&Times { points: vec!["0".to_owned(), "1".to_owned()], rows }, Timed::Spawn.unit());
        assert!(text.contains("| std |  | 75.0 (75.0 to 75.0) |"), "{text}");
        assert!(text.contains("\n| std |  |  |"), "{text}");
    }

    #[test]
    fn memory_has_a_table_if_a_part_measures_it() {
        let mut row = Row { case: RAW.to_owned(), cells: vec![cell(5_000_000), cell(7_000_000)], ..Row::default() };
        let points = vec!["4 KiB".to_owned(), "8 KiB".to_owned()];
        let unit = Timed::Transfer.unit();
        let text = many_points(&Times { points: points.clone(), rows: vec![row.clone()] }, unit);
        assert!(text.contains("| raw limit | 5.0 (5.0 to 5.0) | 7.0 (7.0 to 7.0) |"), "{text}");
        assert!(!text.contains("memory"), "{text}");
        row.memory = vec![Some(1.004), None];
        let text = many_points(&Times { points, rows: vec![row] }, unit);
        assert!(text.contains("| raw limit | 1.00 |  |"), "{text}");
    }

    #[test]
    fn report_has_goals_machine_and_all_parts() {
        let machine = Machine { cpu: "A CPU".to_owned(), cores: 2, memory: 24_064, ..Machine::default() };
        let rows = vec![BusyRow { case: "fdspawn".to_owned(), refused: 0 }];
        let outcome = Outcome::Busy(Busy { programs: 3_200, rows });
        let part = PartResult { name: "busy".to_owned(), outcome, remarks: vec!["A remark.".to_owned()] };
        let mut results = Results { machine, quick: true, seconds: 9, parts: vec![part], goals: Vec::new() };
        results.goals = goals::judge(&results);
        let text = markdown(&results);
        for expected in [
            "A CPU, 2 cores, 23.5 GiB of memory",
            "quick run",
            "programs and spawn them | 0 | 0 | met |",
            "| ≤ 1.12 |  | not measured |",
            "](busy.svg)",
            "failed of 3,200",
            "- A remark.",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
}
