//! The plots: one SVG file for each part.

use crate::cases::{
    BASH, CAPTURE, CHILDREN, COMMAND_FDS, COPY, DASH, DISCARD, DRAIN_INTO, DUCT, FORK, ISOLATED, KEEP_LAST,
    LARGE_PIPES, LIBRARY, POSIX_SPAWN, PROCESSKIT, RAW, SAME_WORK, SHARED_ENVIRONMENT, STD, STD_PRE_EXEC, SUBPROCESS,
    THREADS, TOKIO, TWO_PIPES, WITH_PIDFDS,
};
use crate::parts::{Timed, find};
use crate::report::{grouped, in_unit};
use crate::results::{Busy, Outcome, PartResult, Times};
use crate::statistics::Summary;
use plotters::coord::Shift;
use plotters::coord::ranged1d::SegmentValue;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::io;
use std::ops::Range;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawResult = Result<(), Box<dyn Error>>;

const WIDTH: u32 = 960;
const FONT: &str = "sans-serif";
const TITLE: u32 = 20;
const TEXT: u32 = 14;

/// The colour of each case, the same in all plots. Most are from the palette of Okabe and Ito, which people with a
/// colour vision deficiency can distinguish.
const COLOURS: &[(&str, RGBColor)] = &[
    (RAW, RGBColor(0, 0, 0)),
    (SAME_WORK, RGBColor(127, 127, 127)),
    (TWO_PIPES, RGBColor(70, 70, 70)),
    (WITH_PIDFDS, RGBColor(190, 190, 120)),
    (LIBRARY, RGBColor(213, 94, 0)),
    (SHARED_ENVIRONMENT, RGBColor(240, 228, 66)),
    (ISOLATED, RGBColor(150, 40, 27)),
    (FORK, RGBColor(230, 159, 0)),
    (STD, RGBColor(0, 114, 178)),
    (STD_PRE_EXEC, RGBColor(0, 64, 112)),
    (COMMAND_FDS, RGBColor(120, 94, 160)),
    (SUBPROCESS, RGBColor(86, 180, 233)),
    (DUCT, RGBColor(0, 158, 115)),
    (POSIX_SPAWN, RGBColor(204, 121, 167)),
    (CAPTURE, RGBColor(255, 150, 80)),
    (DRAIN_INTO, RGBColor(120, 60, 20)),
    (KEEP_LAST, RGBColor(190, 80, 60)),
    (DISCARD, RGBColor(240, 180, 120)),
    (TOKIO, RGBColor(90, 60, 150)),
    (PROCESSKIT, RGBColor(170, 150, 40)),
    (THREADS, RGBColor(100, 130, 130)),
    (CHILDREN, RGBColor(250, 110, 110)),
    (LARGE_PIPES, RGBColor(160, 60, 60)),
    (COPY, RGBColor(60, 60, 140)),
    (BASH, RGBColor(140, 90, 90)),
    (DASH, RGBColor(200, 160, 200)),
];

fn colour(case: &str) -> RGBColor {
    COLOURS.iter().find(|(name, _)| *name == case).map_or(RGBColor(200, 200, 200), |(_, colour)| *colour)
}

/// The plot of a part.
pub fn svg(part: &PartResult) -> io::Result<String> {
    let mut text = String::new();
    draw(part, &mut text).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(text)
}

fn draw(part: &PartResult, text: &mut String) -> DrawResult {
    let (title, axis, timed) =
        find(&part.name).map_or((part.name.as_str(), "", Timed::default()), |part| (part.title, part.axis, part.timed));
    let unit = timed.unit();
    let what = format!("median time of a {} in {}, with quartiles", timed.noun(), unit.name);
    match &part.outcome {
        Outcome::Times(times) if times.points.len() == 1 => {
            let raw = times.row(RAW).and_then(|row| row.cells[0].as_ref());
            let bar = |name: &str, cell: &Summary| Bar {
                name: name.to_owned(),
                length: in_unit_of(timed, cell.median),
                spread: Some((in_unit_of(timed, cell.lower), in_unit_of(timed, cell.upper))),
                note: match (in_unit(cell.median, unit), unit.name, raw) {
                    (time, unit, Some(raw)) => format!("{time} {unit}, {:.2} times the raw limit", cell.ratio(raw)),
                    (time, unit, None) => format!("{time} {unit}"),
                },
            };
            let rows = times.rows.iter().filter_map(|row| Some(bar(&row.case, row.cells[0].as_ref()?)));
            bars(text, title, &what, &rows.collect::<Vec<_>>())
        }
        Outcome::Times(times) => lines(text, title, axis, &what, timed, times),
        Outcome::Busy(Busy { programs, rows }) => {
            let bar = |name: &str, refused: usize| Bar {
                name: name.to_owned(),
                length: refused as f64,
                spread: None,
                note: grouped(refused as u64),
            };
            let rows: Vec<Bar> = rows.iter().map(|row| bar(&row.case, row.refused)).collect();
            bars(text, title, &format!("failed spawns of {}", grouped(*programs as u64)), &rows)
        }
    }
}

fn in_unit_of(timed: Timed, nanoseconds: u64) -> f64 {
    nanoseconds as f64 / timed.unit().nanoseconds as f64
}

/// A horizontal bar, with a text at its end.
struct Bar {
    name: String,
    length: f64,
    spread: Option<(f64, f64)>,
    note: String,
}

fn canvas<'a>(text: &'a mut String, height: u32, title: &str) -> Result<Area<'a>, Box<dyn Error>> {
    let root = SVGBackend::with_string(text, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    Ok(root.titled(title, (FONT, TITLE))?)
}

fn bars(text: &mut String, title: &str, axis: &str, bars: &[Bar]) -> DrawResult {
    if bars.is_empty() {
        return Ok(());
    }
    let area = canvas(text, 110 + 34 * bars.len() as u32, title)?;
    // The texts need space to the right of the bars.
    let longest = bars.iter().map(|bar| bar.spread.map_or(bar.length, |(_, upper)| upper.max(bar.length)));
    let end = longest.fold(1.0, f64::max) * 1.55;
    // The chart draws from the bottom to the top; the first case is at the top.
    let name = |index: usize| bars.iter().rev().nth(index).map_or("", |bar| bar.name.as_str());
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(45)
        .y_label_area_size(190)
        .build_cartesian_2d(0.0..end, (0..bars.len() - 1).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(axis)
        .x_label_formatter(&|value| whole(*value))
        .y_labels(bars.len())
        .y_label_formatter(&|segment| match segment {
            SegmentValue::CenterOf(index) => name(*index).to_owned(),
            _ => String::new(),
        })
        .label_style((FONT, TEXT))
        .axis_desc_style((FONT, TEXT))
        .draw()?;
    for (index, bar) in bars.iter().enumerate() {
        let place = bars.len() - 1 - index;
        let (low, middle, high) =
            (SegmentValue::Exact(place), SegmentValue::CenterOf(place), SegmentValue::Exact(place + 1));
        let mut body = Rectangle::new([(0.0, low), (bar.length, high)], colour(&bar.name).mix(0.75).filled());
        body.set_margin(5, 5, 0, 0);
        chart.draw_series([body])?;
        let (lower, upper) = bar.spread.unwrap_or((bar.length, bar.length));
        if upper > lower {
            let ends = [(lower, middle.clone()), (upper, middle.clone())];
            chart.draw_series([PathElement::new(ends.clone(), BLACK.stroke_width(2))])?;
            chart.draw_series(ends.map(|end| Circle::new(end, 2, BLACK.filled())))?;
        }
        let style = TextStyle::from((FONT, TEXT)).pos(Pos::new(HPos::Left, VPos::Center));
        let note = EmptyElement::at((upper.max(bar.length), middle)) + Text::new(bar.note.clone(), (8, 0), style);
        chart.draw_series([note])?;
    }
    Ok(area.present()?)
}

/// A line for each case. The states have equal distances on the axis, since their sizes are 0 or differ by orders of
/// magnitude.
fn lines(text: &mut String, title: &str, axis: &str, what: &str, timed: Timed, times: &Times) -> DrawResult {
    let all = || times.rows.iter().flat_map(|row| row.cells.iter().flatten());
    let (Some(least), Some(most)) = (all().map(|cell| cell.lower).min(), all().map(|cell| cell.upper).max()) else {
        return Ok(());
    };
    let area = canvas(text, 520, title)?;
    let (plot, legend) = area.split_horizontally(WIDTH - 230);
    let last = times.points.len() - 1;
    let range = in_unit_of(timed, least) * 0.8..in_unit_of(timed, most) * 1.25;
    let mut chart = ChartBuilder::on(&plot)
        .margin(12)
        .x_label_area_size(50)
        .y_label_area_size(80)
        .build_cartesian_2d(-0.3..last as f64 + 0.3, range.clone().log_scale().with_key_points(ticks(&range)))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(axis)
        .y_desc(format!("{what} (logarithmic)"))
        .x_labels(times.points.len())
        .x_label_formatter(&|place| label(&times.points, *place))
        .y_label_formatter(&|value| grouped(value.round() as u64))
        .label_style((FONT, TEXT))
        .axis_desc_style((FONT, TEXT))
        .draw()?;
    for (index, row) in times.rows.iter().enumerate() {
        let colour = colour(&row.case);
        let width = if row.case == LIBRARY { 4 } else { 2 };
        let at = |place: usize, nanoseconds: u64| (place as f64, in_unit_of(timed, nanoseconds));
        let cells: Vec<_> =
            row.cells.iter().enumerate().filter_map(|(place, cell)| Some((place, cell.as_ref()?))).collect();
        let middle = cells.iter().map(|(place, cell)| at(*place, cell.median));
        chart.draw_series(LineSeries::new(middle.clone(), colour.stroke_width(width)))?;
        chart.draw_series(middle.map(|point| Circle::new(point, 4, colour.filled())))?;
        let spread = cells.iter().map(|(place, cell)| vec![at(*place, cell.lower), at(*place, cell.upper)]);
        chart.draw_series(spread.map(|ends| PathElement::new(ends, colour.stroke_width(1))))?;
        let y = 40 + 26 * index as i32;
        legend.draw(&PathElement::new([(0, y), (28, y)], colour.stroke_width(width)))?;
        legend.draw(&Circle::new((14, y), 4, colour.filled()))?;
        let style = TextStyle::from((FONT, TEXT)).pos(Pos::new(HPos::Left, VPos::Center));
        legend.draw(&Text::new(row.case.clone(), (36, y), style))?;
    }
    Ok(area.present()?)
}

/// The ticks of a logarithmic axis. If the axis has few decades, each decade has more ticks.
fn ticks(range: &Range<f64>) -> Vec<f64> {
    let decades = (range.end / range.start).log10();
    let steps: &[u32] = match decades {
        ..1.0 => &[10, 12, 15, 20, 25, 30, 40, 50, 60, 80],
        ..2.5 => &[10, 20, 50],
        _ => &[10],
    };
    let decade = |exponent: i32| steps.iter().map(move |step| f64::from(*step) * 10_f64.powi(exponent));
    (-4..9).flat_map(decade).filter(|tick| range.contains(tick)).collect()
}

/// The label of a tick; empty if the tick is not a whole number.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { grouped(value.round() as u64) } else { String::new() }
}

/// The label of the state at this place of the axis; empty if no state is there.
fn label(points: &[String], place: f64) -> String {
    let nearest = place.round();
    let is_there = (place - nearest).abs() < 1e-6 && nearest >= 0.0;
    points.get(nearest as usize).filter(|_| is_there).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::cases;
    use crate::parts::{CaseSet, PARTS, Subject};
    use crate::results::{BusyRow, Row};

    fn times(points: &[&str]) -> PartResult {
        let cells =
            |median: u64| points.iter().map(|_| Summary::of(&[vec![median, median * 2, median * 3]], 1)).collect();
        let row = |case: &str, median| Row { case: case.to_owned(), cells: cells(median), ..Row::default() };
        let rows = vec![row(RAW, 50_000), row("std", 80_000)];
        let points = points.iter().map(|&point| point.to_owned()).collect();
        let outcome = Outcome::Times(Times { points, rows });
        PartResult { name: "memory".to_owned(), outcome, remarks: Vec::new() }
    }

    #[test]
    fn each_case_has_a_colour_of_its_own() {
        for part in PARTS {
            // The parts with other sets have cases of their own and one point, so that they have bars with names.
            let Subject::Times { work, set: CaseSet::Peers | CaseSet::Isolated, .. } = part.subject else { continue };
            for case in cases(work, CaseSet::Isolated) {
                assert!(COLOURS.iter().any(|(name, _)| *name == case.name), "{}", case.name);
            }
        }
        for (name, colour) in COLOURS {
            assert_eq!(COLOURS.iter().filter(|(_, other)| other == colour).count(), 1, "{name}");
        }
    }

    #[test]
    fn logarithmic_axes_have_a_few_ticks_of_few_digits() {
        assert_eq!(ticks(&(30.0..130.0)), [30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 120.0]);
        assert_eq!(ticks(&(30.0..1_100.0)), [50.0, 100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(ticks(&(30.0..300_000.0)), [100.0, 1_000.0, 10_000.0, 100_000.0]);
    }

    #[test]
    fn plots_name_their_axes_their_states_and_their_cases() {
        let text = svg(&times(&["0", "64 MiB", "8 GiB"])).unwrap();
        let expected = ["64 MiB", "8 GiB", "raw limit", "std", "memory that the parent has written to", "µs"];
        for expected in expected {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(text.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn bars_show_the_ratio_to_the_raw_limit() {
        let text = svg(&times(&["status()"])).unwrap();
        assert!(text.contains("1.60 times the raw limit"), "{text}");
    }

    #[test]
    fn part_without_results_has_an_empty_plot() {
        let mut part = times(&["0", "1"]);
        let Outcome::Times(times) = &mut part.outcome else { panic!("{part:?}") };
        times.rows.iter_mut().for_each(|row| row.cells = vec![None, None]);
        svg(&part).unwrap();
        part.outcome = Outcome::Busy(Busy { programs: 0, rows: Vec::new() });
        svg(&part).unwrap();
    }

    #[test]
    fn one_busy_program_has_a_bar() {
        let rows = vec![BusyRow { case: "std".to_owned(), refused: 1 }];
        let outcome = Outcome::Busy(Busy { programs: 3_200, rows });
        let text = svg(&PartResult { name: "busy".to_owned(), outcome, remarks: Vec::new() }).unwrap();
        assert!(text.contains("failed spawns of 3,200"), "{text}");
    }
}
