//! HTML reports.

use super::Figure;
use super::svg::escape;
use crate::disk::write_bytes;
use crate::error::Result;
use std::fmt::Write;
use std::path::Path;

/// An HTML page with headings, text, tables and figures, in the order in which they are added.
///
/// ```
/// use plywood::plot::{Chart, Report};
///
/// let loss = Chart::new("Loss").line("loss", &[(1.0, 0.5), (2.0, 0.4)]).draw()?;
/// let report = Report::new("My run")
///     .text("Two epochs of a small model.")
///     .table(&["epoch", "loss"], &[["1", "0.5"], ["2", "0.4"]])
///     .heading("Curves")
///     .picture("The loss falls.", &loss);
/// assert!(report.to_html().contains("<td class=\"n\">0.5</td>"));
///
/// let path = std::env::temp_dir().join("plywood-doc-report.html");
/// report.save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// The page is a single file: styles and figures are embedded, there are no scripts, and its content security policy
/// forbids the browser to fetch anything. It can be read on a phone: figures shrink to its width, and wide tables scroll.
/// All text is escaped: `<b>` is shown as three characters. The same content gives the same file.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    title: String,
    /// The page below the title, as HTML.
    body: String,
    pictures: usize,
}

/// The policy forbids all requests; `data:` is for images embedded in figures.
const HEAD: &str = "\
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">
";

const STYLE: &str = "\
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 1rem 0; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem; border-bottom: 1px solid #ccc; }
.wide, pre { overflow-x: auto; margin: 1rem 0; }
pre { padding: .75rem; background: #f5f5f5; font-size: .85rem; line-height: 1.35; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom-color: #777; }
.n { text-align: right; }
figure { margin: 1.5rem 0; }
figcaption { color: #444; }
svg { display: block; max-width: 100%; height: auto; }
@media print { .wide, pre { overflow: visible; } figure { break-inside: avoid; } }
";

impl Report {
    /// Makes a page with this title and no content.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: String::new(), pictures: 0 }
    }

    /// Adds a heading.
    #[must_use]
    pub fn heading(self, text: impl AsRef<str>) -> Self {
        self.element("h2", text.as_ref())
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.element("p", text.as_ref())
    }

    /// Adds preformatted lines in a monospaced font: the printed form of a model or a history.
    ///
    /// ```
    /// use plywood::plot::Report;
    /// use plywood::prelude::*;
    ///
    /// let model = Sequential::builder([4]).layer(Dense::units(2)).build()?;
    /// let page = Report::new("Model").lines(&model.to_string()).to_html();
    /// assert!(page.contains("10 parameters, 10 trainable"));
    /// # Ok::<(), plywood::Error>(())
    /// ```
    #[must_use]
    pub fn lines(mut self, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(escape).collect();
        let _ = writeln!(self.body, "<pre tabindex=\"0\">{}</pre>", lines.join("\n"));
        self
    }

    /// Adds a table with these column names; an empty `head` adds no header row. Columns of numbers are aligned to
    /// the right.
    ///
    /// Rows that are shorter than others are padded with empty cells.
    #[must_use]
    pub fn table<R: AsRef<[T]>, T: AsRef<str>>(mut self, head: &[&str], rows: &[R]) -> Self {
        let columns = rows.iter().map(|row| row.as_ref().len()).fold(head.len(), usize::max);
        let is_number = |column: usize| {
            let mut cells = rows.iter().filter_map(|row| row.as_ref().get(column)).peekable();
            cells.peek().is_some() && cells.all(|cell| is_number(cell.as_ref()))
        };
        let numbers: Vec<bool> = (0..columns).map(is_number).collect();
        let line = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::from("<tr>");
            for &right in &numbers {
                let class = if right { " class=\"n\"" } else { "" };
                let _ = write!(line, "<{tag}{class}>{}</{tag}>", escape(cells.next().unwrap_or_default()));
            }
            line + "</tr>\n"
        };
        self.body.push_str("<div class=\"wide\" tabindex=\"0\"><table>\n");
        if !head.is_empty() {
            self.body.push_str(&line("th", &mut head.iter().copied()));
        }
        for row in rows {
            self.body.push_str(&line("td", &mut row.as_ref().iter().map(AsRef::as_ref)));
        }
        self.body.push_str("</table></div>\n");
        self
    }

    /// Adds a figure with a caption below it; an empty caption is left out.
    #[must_use]
    pub fn picture(mut self, caption: impl AsRef<str>, figure: &Figure) -> Self {
        // Ids must be unique within a page, so the ids of each figure's letters get the figure's number as a prefix.
        // Texts are not changed, because quotes in them are escaped.
        let place = format!("p{}-", self.pictures);
        let svg = figure
            .to_inline_svg()
            .replace("<path id=\"", &format!("<path id=\"{place}"))
            .replace("<use href=\"#", &format!("<use href=\"#{place}"));
        let _ = write!(self.body, "<figure>{svg}");
        let caption = escape(caption.as_ref());
        if !caption.is_empty() {
            let _ = write!(self.body, "<figcaption>{caption}</figcaption>");
        }
        self.body.push_str("</figure>\n");
        self.pictures += 1;
        self
    }

    /// Returns the page as HTML.
    pub fn to_html(&self) -> String {
        let (title, body) = (escape(&self.title), &self.body);
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n{HEAD}<title>{title}</title>\n<style>\n{STYLE}</style>\n\
             </head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
        )
    }

    /// Writes the page to a file, which is replaced atomically if it exists. The folder must exist.
    ///
    /// ```
    /// use plywood::plot::Report;
    ///
    /// let error = Report::new("My run").save("no/such/folder/report.html").unwrap_err();
    /// assert!(error.to_string().starts_with("save report: could not write no/such/folder/report.html"));
    /// ```
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_bytes(path.as_ref(), self.to_html().as_bytes()).map_err(|error| error.at("save report"))
    }

    fn element(mut self, tag: &str, text: &str) -> Self {
        let _ = writeln!(self.body, "<{tag}>{}</{tag}>", escape(text));
        self
    }
}

/// Returns whether a cell is a number: "12,000", "0.91", "-3", "97.5 %".
fn is_number(text: &str) -> bool {
    let digits = text.trim_end_matches([' ', '%']).replace(',', "");
    digits.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::*;
    use std::fs;

    const NASTY: &str = "<script>alert(\"1\")</script> & 'so'";

    #[test]
    fn all_text_is_escaped() {
        let figure = Chart::new(NASTY).line(NASTY, &[(0.0, 0.0), (1.0, 1.0)]).draw().unwrap();
        let page = Report::new(NASTY)
            .heading(NASTY)
            .text(NASTY)
            .lines(NASTY)
            .table(&[NASTY], &[[NASTY]])
            .picture(NASTY, &figure)
            .to_html();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.matches("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; ").count() >= 8);
    }

    #[test]
    fn the_page_refers_to_nothing_outside_and_each_name_is_there_once() {
        let figure = Chart::new("aa").line("a", &[(0.0, 0.0), (1.0, 1.0)]).draw().unwrap();
        let page = Report::new("a").picture("", &figure).picture("twice", &figure).to_html();
        let attributes = |name: &str| -> Vec<String> {
            let start = format!(" {name}=\"");
            let ends = page.split(start.as_str()).skip(1);
            ends.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        let names = attributes("id");
        assert!(!names.is_empty());
        assert!(names.iter().enumerate().all(|(i, name)| !names[..i].contains(name)), "{names:?}");
        for address in attributes("href") {
            let inside = address.strip_prefix('#').is_some_and(|name| names.iter().any(|n| n == name));
            assert!(inside || address.starts_with("data:"), "{address}");
        }
        assert!(attributes("src").is_empty());
        for outside in ["url(", "@import", "<link", "<script", "<iframe"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/2000/svg").count() + 1,
            "http-equiv"
        );
    }

    #[test]
    fn columns_of_numbers_stand_to_the_right_and_rows_are_filled() {
        let rows = [vec!["a", "1,000"], vec!["b", "97.5 %", "more"], vec![]];
        let page = Report::new("t").table(&["name", "n"], &rows).to_html();
        assert!(page.contains("<tr><th>name</th><th class=\"n\">n</th><th></th></tr>"), "{page}");
        assert!(page.contains("<tr><td>a</td><td class=\"n\">1,000</td><td></td></tr>"));
        assert!(page.contains("<tr><td></td><td class=\"n\"></td><td></td></tr>"));
        let empty: [[&str; 0]; 0] = [];
        assert!(Report::new("t").table(&[], &empty).to_html().contains("<table>\n</table>"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_errors_name_the_path() {
        let folder = std::env::temp_dir().join(format!("plywood-report-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("report.html");
        Report::new("first").text("long ".repeat(100)).save(&path).unwrap();
        let report = Report::new("second");
        report.save(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), report.to_html());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        for wrong in [folder.join("none").join("report.html"), folder.clone()] {
            let text = report.save(&wrong).unwrap_err().to_string();
            assert!(
                text.starts_with("save report: ") && text.contains(&wrong.display().to_string()),
                "{text}"
            );
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
