//! [`Columns`]: which columns of a table make an input, and how.

use super::encoder::{ColumnsEncoder, Fitted};
use super::settings::{ColumnSettings, Fill, Scaling};
use crate::data::{ColumnType, TablePart};
use crate::error::{Error, Result};
use crate::preprocessing::InputSpec;
use crate::shown::{cut, listed};

/// Columns of a table that make an input of a model, and how: as rows of numbers.
///
/// | a column of | becomes, by default |
/// |---|---|
/// | numbers | the number, filled with the median and standardized; with gaps in the training part one more, 1 where it is missing |
/// | booleans | 0 or 1, then as a number; filled with the one that occurs more (of two that occur as often, false) |
/// | categories | a 0 or 1 for each word of the training part, in alphabetical order; with gaps there one more for missing |
/// | dates | days since 1970-01-01 with the time of day as a fraction, year, month, weekday (0 is Monday), hour, each as a number; filled with the median date, the earlier of two |
///
/// ```text
/// y = scaling(x),  or  scaling(ln(1 + x)) with `log`,  where x is the value or the fill
/// ```
///
/// ```
/// use plywood::data::{Column, Table};
/// use plywood::ndarray::array;
/// use plywood::preprocessing::{Columns, InputBlock, Notes, Remark};
///
/// let train = Table::new([
///     Column::numbers("age", [20.0, 40.0, f64::NAN])?,
///     Column::categories("port", [Some("S"), Some("C"), Some("S")]),
///     Column::booleans("survived", [Some(true), Some(false), None]),
/// ])?;
/// let encoder = Columns::all_but(["survived"]).fit(&train.whole())?;
/// assert_eq!(encoder.names(), ["age", "age missing", "port=C", "port=S"]);
///
/// let row = Table::new([
///     Column::numbers("age", [f64::NAN])?,
///     Column::categories("port", [Some("Q")]),
/// ])?;
/// let mut notes = Notes::new();
/// assert_eq!(encoder.encode_table(&row, &mut notes)?, array![[0.0, 1.0, 0.0, 0.0]].into_dyn());
/// let remarks: Vec<Remark> = notes.iter().map(|(_, _, remark)| remark.clone()).collect();
/// assert_eq!(remarks, [Remark::Missing, Remark::Unknown("Q".into())]);
/// # Ok::<(), plywood::Error>(())
/// ```
///
/// All statistics come from the part that it is fitted on, in `f64`, and do not depend on the order of the rows. They
/// are scikit-learn's: of a `SimpleImputer` and then a scaler in a pipeline, with a `MissingIndicator` beside it, and of
/// `OneHotEncoder(handle_unknown="ignore")`. The indicator is 0 or 1 and is not scaled.
///
/// | what is special | what happens |
/// |---|---|
/// | a column that is the same in all rows of training | zeros (with `MinMax` the lower bound), kept, so that the width does not depend on the values |
/// | a part of a date that is the same in all of them | left out; the days are kept |
/// | a column without a value in training | an error |
/// | a category that did not occur in training | all zeros; with [`min_count`](Columns::min_count) the place of the rare ones |
/// | a value that is missing, and none was in training | the fill; for categories all zeros |
/// | columns of texts, images, arrays | an error, as they need an input of their own |
#[derive(Clone, Debug)]
#[must_use]
pub struct Columns {
    /// The columns to take, or to leave out.
    names: Vec<String>,
    all_but: bool,
    /// Targets, which are never taken.
    excluded: Vec<String>,
    settings: ColumnSettings,
    /// Settings of single columns.
    single: Vec<(String, ColumnSettings)>,
}

impl Columns {
    /// Takes these columns, in this order.
    pub fn of<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        let settings = ColumnSettings::default();
        Self { names, all_but: false, excluded: Vec::new(), settings, single: Vec::new() }
    }

    /// Takes all columns but these: ids, and what makes an input of its own. In a recipe the columns of targets, weights
    /// and groups are left out, too; where nothing says what the target is, name it here.
    pub fn all_but<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { all_but: true, ..Self::of(names) }
    }

    /// Takes all columns; in a recipe all but those of targets, weights and groups.
    pub fn all() -> Self {
        Self::all_but::<String>([])
    }

    /// Sets what stands for missing numbers; the default is the median. For dates only
    /// [`MostFrequent`](Fill::MostFrequent) makes a difference. Missing categories are not filled.
    pub fn fill(mut self, fill: Fill) -> Self {
        self.settings = self.settings.fill(fill);
        self
    }

    /// Sets how numbers, booleans and parts of dates are scaled; the default is [`Standard`](Scaling::Standard).
    pub fn scaling(mut self, scaling: Scaling) -> Self {
        self.settings = self.settings.scaling(scaling);
        self
    }

    /// Takes `ln(1 + x)` of all numbers, not of booleans and dates, after filling and before scaling. Numbers of -1 and
    /// below are errors. The last bits of a logarithm depend on the platform.
    pub fn log(mut self) -> Self {
        self.settings = self.settings.log();
        self
    }

    /// Sets whether a column with gaps in the training part has one more number, 1 where a value is missing and
    /// otherwise 0; the default is true. Without it, missing categories are all zeros.
    pub fn indicator(mut self, indicator: bool) -> Self {
        self.settings = self.settings.indicator(indicator);
        self
    }

    /// Makes each column of categories one number: the position in alphabetical order, from 0; -1 for unknown and rare
    /// words, -2 for missing ones. It is not scaled.
    pub fn ordinal(mut self) -> Self {
        self.settings = self.settings.ordinal();
        self
    }

    /// Makes categories one number for each, of which one is 1; the default.
    pub fn one_hot(mut self) -> Self {
        self.settings = self.settings.one_hot();
        self
    }

    /// Sets in how many rows of the training part a category must occur to have a place of its own; the default is 1.
    ///
    /// Rarer ones share the place "unknown" with those that did not occur. So the model learns what unknown means; with
    /// 1, or without rare ones, there is nothing to learn it from, and an unknown category is all zeros.
    pub fn min_count(mut self, rows: usize) -> Self {
        self.settings = self.settings.min_count(rows);
        self
    }

    /// Sets the most categories that a column may have; the default is 10,000. A column of more is often an id.
    pub fn max_categories(mut self, categories: usize) -> Self {
        self.settings = self.settings.max_categories(categories);
        self
    }

    /// Changes the settings of one column. They go before those of all, whichever is called first.
    ///
    /// ```
    /// use plywood::data::{Column, Table};
    /// use plywood::preprocessing::{Columns, Scaling};
    ///
    /// let table = Table::new([
    ///     Column::numbers("age", [20.0, 40.0])?,
    ///     Column::numbers("gain", [0.0, 20_000.0])?,
    /// ])?;
    /// let columns = Columns::all().column("gain", |c| c.log().scaling(Scaling::MinMax { low: 0.0, high: 1.0 }));
    /// assert_eq!(columns.fit(&table.whole())?.width(), 2);
    ///
    /// let error = Columns::of(["age"]).column("gain", |c| c.log()).fit(&table.whole()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "fit columns: the columns must have the one with settings of its own, \"gain\", got age. Check the name."
    /// );
    /// # Ok::<(), plywood::Error>(())
    /// ```
    pub fn column(
        mut self,
        name: impl Into<String>,
        change: impl FnOnce(ColumnSettings) -> ColumnSettings,
    ) -> Self {
        let name = name.into();
        match self.single.iter_mut().find(|(known, _)| *known == name) {
            Some((_, settings)) => *settings = change(std::mem::take(settings)),
            None => self.single.push((name, change(ColumnSettings::default()))),
        }
        self
    }

    /// Never takes these columns: they are targets. It is an error if [`of`](Columns::of) names one.
    pub(crate) fn excluding(mut self, targets: &[&str]) -> Self {
        self.excluded.extend(targets.iter().map(|&name| name.to_owned()));
        self
    }

    /// Fits on the rows of this part, and on no others.
    ///
    /// Columns are read one after the other, with 8 bytes of memory for each row.
    ///
    /// # Errors
    /// When there is no such column or no row, a column cannot become numbers or has no value, a category count is above
    /// its maximum, a number has no logarithm where one is taken, squares are not finite, or a setting is out of range or
    /// does not fit the column.
    pub fn fit(&self, part: &TablePart) -> Result<ColumnsEncoder> {
        let run = || {
            let names = self.chosen(part)?;
            if part.is_empty() {
                return Err(Error::data("the training part", "have at least one row", "none")
                    .help("Check how the table was split."));
            }
            let fit = |name: &&str| {
                let none = ColumnSettings::default();
                let single = self.single.iter().find(|(single, _)| single == name);
                let single = single.map_or(&none, |(_, settings)| settings);
                fits(name, part.column_type(name)?, single)?;
                Fitted::fit(part, name, &single.or(&self.settings))
            };
            ColumnsEncoder::of(names.iter().map(fit).collect::<Result<_>>()?)
        };
        run().map_err(|error: Error| error.at("fit columns"))
    }

    /// Returns the columns to take, which can become numbers.
    fn chosen<'a>(&'a self, part: &'a TablePart) -> Result<Vec<&'a str>> {
        self.names.iter().try_for_each(|name| part.column_type(name).map(drop))?;
        let is_in = |list: &[String], name: &str| list.iter().any(|known| known == name);
        let all = part.columns().map(|(name, _)| name);
        let left = all.filter(|name| !is_in(&self.names, name) && !is_in(&self.excluded, name));
        let names: Vec<&str> = match self.all_but {
            true => left.collect(),
            false => self.names.iter().map(String::as_str).collect(),
        };
        for (i, name) in names.iter().enumerate() {
            let found = match () {
                () if names[..i].contains(name) => format!("{:?} twice", cut(name)),
                () if is_in(&self.excluded, name) => format!("{:?}, which is not for inputs", cut(name)),
                () => continue,
            };
            return Err(Error::argument(
                "the columns",
                "different ones, and no target, weights or groups",
                found,
            )
            .help("Leave it out."));
        }
        if names.is_empty() {
            return Err(Error::argument("the columns", "at least one", "none").help("Name those to take."));
        }
        if let Some((name, _)) = self.single.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            let expected = format!("have the one with settings of its own, {:?}", cut(name));
            return Err(Error::data("the columns", expected, listed(&names, 20)).help("Check the name."));
        }
        let mut unfit = Vec::new();
        for name in &names {
            match part.column_type(name)? {
                ColumnType::Text | ColumnType::Image | ColumnType::Array(_) => unfit.push(*name),
                _ => {}
            }
        }
        match unfit.is_empty() {
            true => Ok(names),
            false => {
                let types =
                    unfit.iter().map(|name| Ok(format!("{:?} ({})", cut(name), part.column_type(name)?)));
                let found = listed(&types.collect::<Result<Vec<_>>>()?, 10);
                Err(Error::data("the columns", "be of numbers, booleans, dates or categories", found)
                    .help("Leave them out, as by `Columns::all_but`, or make each an input of its own."))
            }
        }
    }
}

impl InputSpec for Columns {
    type Block = ColumnsEncoder;

    fn fit_excluding(&self, part: &TablePart<'_>, excluded: &[&str]) -> Result<ColumnsEncoder> {
        self.clone().excluding(excluded).fit(part)
    }
}

/// Fails if a column has a setting that is for another type.
fn fits(name: &str, column_type: &ColumnType, settings: &ColumnSettings) -> Result<()> {
    let (setting, expected) = match column_type {
        ColumnType::Category => (settings.of_numbers(), "numbers"),
        ColumnType::Boolean { .. } | ColumnType::Date(_) if settings.has_log() => (Some("log"), "numbers"),
        _ => (settings.of_categories(), "categories"),
    };
    match setting {
        None => Ok(()),
        Some(setting) => {
            let expected = format!("be one of {expected} to have the setting `{setting}`");
            let found = format!("one of which each is {column_type}");
            Err(Error::data(format!("column {:?}", cut(name)), expected, found)
                .help("Leave the setting out."))
        }
    }
}
