//! `GET /metrics`: the counters in Prometheus' text form.

use crate::app::App;
use crate::fault::with_type;
use crate::stats::{Histogram, Stats};
use axum::extract::State;
use axum::response::Response;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    with_type(text(&app), "text/plain; version=0.0.4; charset=utf-8")
}

/// A text of metrics, which is built line by line.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn histogram<const N: usize>(&mut self, name: &str, labels: &str, histogram: &Histogram<N>) {
        let (sum, mut total) = (histogram.sum(), 0);
        for (bound, count) in histogram.cumulated() {
            let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
            self.line(format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {count}"));
            // Requests are counted meanwhile; the total is that of the line above.
            total = count;
        }
        self.line(format_args!("{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {total}"));
    }
}

fn text(app: &App) -> String {
    let mut text = Text::default();
    let name = "plywood_http_responses_total";
    text.head(name, "counter", "Answers to all requests by the class of their status.");
    for (class, count) in app.traffic.answers.iter().enumerate().skip(2) {
        text.line(format_args!("{name}{{code=\"{class}xx\"}} {}", count.load(Ordering::Relaxed)));
    }
    let gauges = [
        ("plywood_queue_requests", "Requests that wait for a thread.", app.pool.waiting()),
        ("plywood_connections", "Open connections.", app.traffic.connections.load(Ordering::Relaxed)),
    ];
    for (name, help, value) in gauges {
        text.head(name, "gauge", help);
        text.line(format_args!("{name} {value}"));
    }
    let name = "plywood_connections_refused_total";
    text.head(name, "counter", "Connections that were refused because there were too many.");
    text.line(format_args!("{name} {}", app.traffic.refused.load(Ordering::Relaxed)));
    of_models(app, &mut text);
    text.0
}

/// A counter's name, its help and how it is read.
type Counter = (&'static str, &'static str, fn(&Stats) -> u64);

fn of_models(app: &App, text: &mut Text) {
    let models = || app.models.0.iter().map(|slot| (escaped(&slot.name), slot));
    let counters: [Counter; 6] = [
        ("plywood_requests_total", "Requests to a model, answered or not.", |s| {
            s.success.count() + s.fail.count()
        }),
        ("plywood_request_failures_total", "Requests to a model that were refused or failed.", |s| {
            s.fail.count()
        }),
        ("plywood_server_faults_total", "Of the failures those that the client has not caused.", |s| {
            s.server_faults.load(Ordering::Relaxed)
        }),
        ("plywood_rows_total", "Rows that were predicted.", Stats::rows),
        ("plywood_loads_total", "How often the model was loaded from its file.", |s| {
            s.loads.load(Ordering::Relaxed)
        }),
        ("plywood_load_failures_total", "How often the model could not be loaded.", |s| {
            s.failed_loads.load(Ordering::Relaxed)
        }),
    ];
    for (name, help, value) in counters {
        text.head(name, "counter", help);
        for (model, slot) in models() {
            text.line(format_args!("{name}{{model=\"{model}\"}} {}", value(&slot.stats)));
        }
    }
    let name = "plywood_model_ready";
    text.head(name, "gauge", "1 if the model is loaded; the version is that of its file.");
    for (model, slot) in models() {
        let loaded = slot.get();
        let version = loaded.as_ref().map_or("", |loaded| &loaded.version);
        text.line(format_args!(
            "{name}{{model=\"{model}\",version=\"{version}\"}} {}",
            u8::from(loaded.is_some())
        ));
    }
    let name = "plywood_batch_rows";
    text.head(name, "histogram", "Rows of each run of the model.");
    models()
        .for_each(|(model, slot)| text.histogram(name, &format!("model=\"{model}\""), &slot.stats.batches));
    let name = "plywood_request_seconds";
    text.head(name, "histogram", "Seconds from the head of a request to its answer.");
    models()
        .for_each(|(model, slot)| text.histogram(name, &format!("model=\"{model}\""), &slot.stats.latency));
}

/// A label's value, as the text form writes it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
