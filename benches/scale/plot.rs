//! The growth of clusters as a picture: two panels with logarithmic axes, in plain SVG.

use std::fmt::Write as _;

/// One cluster: nodes, seconds, MiB.
pub type Point = (f64, f64, f64);

/// Width and height of a panel's inside.
const SIZE: (f64, f64) = (330.0, 260.0);
/// Left and top margins.
const MARGIN: (f64, f64) = (70.0, 56.0);

/// The exponent of the power law that fits best: 1 is linear growth, 2 quadratic.
pub fn exponent(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    let logs: Vec<(f64, f64)> = points.map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| logs.iter().map(value).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let (above, below) = logs.iter().fold((0.0, 0.0), |(above, below), it| {
        (above + (it.0 - x) * (it.1 - y), below + (it.0 - x).powi(2))
    });
    above / below
}

/// Both panels.
pub fn svg(points: &[Point]) -> String {
    let (width, height) = (2.0 * (SIZE.0 + MARGIN.0) + 30.0, SIZE.1 + MARGIN.1 + 56.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let seconds: Vec<(f64, f64)> = points.iter().map(|it| (it.0, it.1)).collect();
    let memory: Vec<(f64, f64)> = points.iter().map(|it| (it.0, it.2)).collect();
    panel(&mut text, 0.0, "processor time until Ready, seconds", &seconds);
    panel(&mut text, SIZE.0 + MARGIN.0 + 10.0, "peak memory, MiB", &memory);
    text.push_str("</svg>\n");
    text
}

/// Powers of ten around the values.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = (values.clone().fold(f64::INFINITY, f64::min) / 1.2).log10().floor();
    // A little room above the greatest.
    let most = (values.fold(0.0_f64, f64::max) * 1.2).log10().ceil();
    (least, most.max(least + 1.0))
}

fn panel(text: &mut String, left: f64, title: &str, points: &[(f64, f64)]) {
    let (x0, y0) = (left + MARGIN.0, MARGIN.1);
    let (from, to) = decades(points.iter().map(|it| it.1));
    // The nodes' axis reaches a little beyond its ends.
    let (first, last) = (points[0].0, points[points.len() - 1].0);
    let (nodes_from, nodes_to) = ((first / 1.25).log10(), (last * 1.25).log10());
    let x = |nodes: f64| x0 + SIZE.0 * (nodes.log10() - nodes_from) / (nodes_to - nodes_from);
    let y = |value: f64| y0 + SIZE.1 * (1.0 - (value.log10() - from) / (to - from));
    let slope = exponent(points.iter().copied());
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{arguments}");
    };
    line(format_args!(
        "<text x=\"{x0}\" y=\"{}\" font-size=\"14\" font-weight=\"bold\">{title}</text>",
        y0 - 30.0
    ));
    line(format_args!(
        "<text x=\"{x0}\" y=\"{}\" fill=\"#555\">nodes to the power of {slope:.2} (dashed: linear)</text>",
        y0 - 13.0
    ));
    for decade in from as i32..=to as i32 {
        let value = 10_f64.powi(decade);
        let at = y(value);
        let label = if decade < 0 {
            format!("{value}")
        } else {
            format!("{value:.0}")
        };
        line(format_args!(
            "<line x1=\"{x0}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            x0 + SIZE.0,
            x0 - 6.0,
            at + 4.0
        ));
    }
    for (nodes, _) in points {
        let at = x(*nodes);
        line(format_args!(
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{y0}\" y2=\"{}\" stroke=\"#eee\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{nodes}</text>",
            y0 + SIZE.1,
            y0 + SIZE.1 + 18.0
        ));
    }
    line(format_args!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">nodes, 30 pods each</text>",
        x0 + SIZE.0 / 2.0,
        y0 + SIZE.1 + 38.0
    ));
    line(format_args!(
        "<rect x=\"{x0}\" y=\"{y0}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#888\"/>",
        SIZE.0, SIZE.1
    ));
    // Linear growth through the middle of the points.
    let shift = points.iter().map(|(nodes, value)| (value / nodes).ln()).sum::<f64>() / points.len() as f64;
    let linear = |nodes: f64| y(nodes * shift.exp());
    line(format_args!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#999\" stroke-dasharray=\"5 4\"/>",
        x(first),
        linear(first),
        x(last),
        linear(last)
    ));
    let path: Vec<String> = points
        .iter()
        .map(|(nodes, value)| format!("{:.1},{:.1}", x(*nodes), y(*value)))
        .collect();
    line(format_args!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0b62a4\" stroke-width=\"2\"/>",
        path.join(" ")
    ));
    for (nodes, value) in points {
        let shown = if *value < 10.0 {
            format!("{value:.2}")
        } else {
            format!("{value:.0}")
        };
        line(format_args!(
            "<circle cx=\"{3:.1}\" cy=\"{1:.1}\" r=\"3.5\" fill=\"#0b62a4\"/>\
             <text x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"end\" fill=\"#0b62a4\">{shown}</text>",
            x(*nodes) - 3.0,
            y(*value),
            y(*value) - 6.0,
            x(*nodes)
        ));
    }
}
