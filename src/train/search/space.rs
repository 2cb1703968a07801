//! [`Space`]: the named hyperparameters of a search and their possible values.

use super::value::{Trial, Value};
use crate::error::{Error, Result};
use crate::random::Random;

/// The hyperparameters of a search, each with a name and its possible values.
///
/// ```
/// use plywood::train::Space;
///
/// let space = Space::new()
///     .choice("activation", ["ReLU", "tanh"])
///     .integer("units", 16, 128)            // both ends included
///     .log_uniform("rate", 1e-4, 1e-1)      // as likely between 0.001 and 0.01 as between 0.01 and 0.1
///     .uniform("dropout", 0.0, 0.5);
/// # let _ = space;
/// ```
///
/// | dimension | random search draws | grid contains |
/// |---|---|---|
/// | [`choice`](Space::choice) | each value with equal probability | each value |
/// | [`integer`](Space::integer) | each integer with equal probability | each integer |
/// | [`uniform`](Space::uniform) | numbers in `[low, high)` | an error: there are too many |
/// | [`log_uniform`](Space::log_uniform) | numbers whose logarithm is uniform | an error |
///
/// Invalid dimensions (no values, bounds in the wrong order, duplicate names) are reported by the search, before its
/// first trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    dimensions: Vec<(String, Dimension)>,
}

/// The values of one hyperparameter.
#[derive(Clone, Debug, PartialEq)]
enum Dimension {
    Choice(Vec<Value>),
    Integer(i64, i64),
    Uniform(f64, f64),
    LogUniform(f64, f64),
}

/// The maximum number of trials of a search.
const MOST: usize = 10_000;

impl Space {
    /// Returns a space without dimensions.
    ///
    /// A search over a space without dimensions is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hyperparameter with a list of values: integers, numbers, or words.
    ///
    /// ```
    /// use plywood::train::Space;
    ///
    /// let space = Space::new().choice("batch", [32, 64, 1000]).choice("rule", ["adam", "sgd"]);
    /// # let _ = space;
    /// ```
    #[must_use]
    pub fn choice<V: Into<Value>>(
        self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.with(name, Dimension::Choice(values.into_iter().map(Into::into).collect()))
    }

    /// Adds an integer from `low` to `high`, both included.
    ///
    /// For sizes such as powers of two, use a [`choice`](Space::choice).
    #[must_use]
    pub fn integer(self, name: impl Into<String>, low: i64, high: i64) -> Self {
        self.with(name, Dimension::Integer(low, high))
    }

    /// Adds a number from the uniform distribution over `[low, high)`, for shares such as the probability of dropout.
    ///
    /// ```text
    /// low + (high - low) · u,   u uniform in [0, 1)
    /// ```
    #[must_use]
    pub fn uniform(self, name: impl Into<String>, low: f64, high: f64) -> Self {
        self.with(name, Dimension::Uniform(low, high))
    }

    /// Adds a number between `low` and `high` whose logarithm is uniform, for learning rates and weight decay.
    ///
    /// ```text
    /// exp(ln low + (ln high - ln low) · u),   u uniform in [0, 1)
    /// ```
    #[must_use]
    pub fn log_uniform(self, name: impl Into<String>, low: f64, high: f64) -> Self {
        self.with(name, Dimension::LogUniform(low, high))
    }

    fn with(mut self, name: impl Into<String>, dimension: Dimension) -> Self {
        self.dimensions.push((name.into(), dimension));
        self
    }

    /// Checks names and bounds.
    fn check(&self) -> Result<()> {
        if self.dimensions.is_empty() {
            return Err(Error::argument("the number of dimensions", "at least 1", 0)
                .help("Add one, such as `.log_uniform(\"rate\", 1e-4, 1e-1)`."));
        }
        for (i, (name, dimension)) in self.dimensions.iter().enumerate() {
            if self.dimensions[..i].iter().any(|(other, _)| other == name) {
                return Err(Error::argument(
                    "the names of the dimensions",
                    "distinct",
                    format!("{name:?} twice"),
                )
                .help("Give each dimension a name of its own.")
                .at("space"));
            }
            dimension.check().map_err(|error| error.at(format!("dimension {name:?}")).at("space"))?;
        }
        Ok(())
    }

    /// Returns every combination; the last dimension changes fastest.
    pub(super) fn grid(&self) -> Result<Vec<Trial>> {
        self.check()?;
        let mut lists = Vec::new();
        let mut count = 1usize;
        for (name, dimension) in &self.dimensions {
            let values =
                dimension.values().map_err(|error| error.at(format!("dimension {name:?}")).at("space"))?;
            count = count.saturating_mul(values.len());
            if count > MOST {
                return Err(Error::argument(
                    "the number of trials of a grid",
                    format!("at most {MOST}"),
                    "more",
                )
                .help("Leave values out, or draw some of them with `Search::random`.")
                .at("space"));
            }
            lists.push((name, values));
        }
        let trial = |mut place: usize| {
            let mut values: Vec<(String, Value)> = Vec::new();
            for (name, list) in lists.iter().rev() {
                values.push(((*name).clone(), list[place % list.len()].clone()));
                place /= list.len();
            }
            values.reverse();
            Trial::new(values)
        };
        Ok((0..count).map(trial).collect())
    }

    /// Draws distinct trials with this seed; fewer than requested if the space does not have as many.
    ///
    /// A draw is a function of the seed, the dimension's name and the number of the draw: adding a dimension does not
    /// change the others, and drawing more trials does not change the first ones.
    pub(super) fn draw(&self, trials: usize, seed: u64) -> Result<Vec<Trial>> {
        self.check()?;
        if !(1..=MOST).contains(&trials) {
            return Err(Error::argument("the number of trials", format!("from 1 to {MOST}"), trials)
                .help("10 to 100 are usual."));
        }
        let random = Random::seed(seed).child("search");
        let mut drawn: Vec<Trial> = Vec::new();
        // In a small space most draws are repetitions, so the number of draws is limited too.
        for number in 0..20 * trials as u64 {
            let value = |(name, dimension): &(String, Dimension)| {
                (name.clone(), dimension.draw(random.child(name.as_str()).at(number, 0).unit()))
            };
            let trial = Trial::new(self.dimensions.iter().map(value).collect());
            if !drawn.contains(&trial) {
                drawn.push(trial);
            }
            if drawn.len() == trials {
                break;
            }
        }
        Ok(drawn)
    }
}

impl Dimension {
    fn check(&self) -> Result<()> {
        match self {
            Self::Choice(values) if values.is_empty() => {
                Err(Error::argument("the number of values of a choice", "at least 1", 0)
                    .help("Give the values to choose from."))
            }
            Self::Integer(low, high) if low > high => {
                Err(Error::argument("the range", "from a lower to a higher end", format!("{low} to {high}"))
                    .help("Give the lower end first."))
            }
            Self::Uniform(low, high) | Self::LogUniform(low, high)
                if !(low.is_finite() && high.is_finite() && low < high && (high - low).is_finite()) =>
            {
                let expected = "between finite bounds, the lower one first";
                Err(Error::argument("the range", expected, format!("{low} to {high}"))
                    .help("A choice of one value fixes it: `choice(name, [value])`."))
            }
            Self::LogUniform(low, high) if *low <= 0.0 => Err(Error::argument(
                "the logarithmic range",
                "between bounds above 0",
                format!("{low} to {high}"),
            )
            .help("Use `uniform` for a range that has 0 in it.")),
            _ => Ok(()),
        }
    }

    /// All values, if there are few.
    fn values(&self) -> Result<Vec<Value>> {
        match self {
            Self::Choice(values) => Ok(values.clone()),
            Self::Integer(low, high) => {
                let count = high.abs_diff(*low).saturating_add(1);
                if count > MOST as u64 {
                    return Err(Error::argument(
                        "the number of whole numbers in a grid",
                        format!("at most {MOST}"),
                        count,
                    )
                    .help("Narrow the range, list some with `choice`, or draw them with `Search::random`."));
                }
                Ok((*low..=*high).map(Value::Integer).collect())
            }
            Self::Uniform(low, high) | Self::LogUniform(low, high) => {
                let expected = "countable";
                Err(Error::argument(
                    "the values of a grid",
                    expected,
                    format!("every number from {low} to {high}"),
                )
                .help("List some with `choice`, or draw them with `Search::random`."))
            }
        }
    }

    /// The value at the fraction `unit` of the range, from 0 up to 1.
    fn draw(&self, unit: f64) -> Value {
        match self {
            Self::Choice(values) => values[place(unit, values.len() as u64) as usize].clone(),
            Self::Integer(low, high) => {
                let count = high.abs_diff(*low).saturating_add(1);
                Value::Integer(low.wrapping_add_unsigned(place(unit, count)))
            }
            Self::Uniform(low, high) => Value::Number(low + (high - low) * unit),
            Self::LogUniform(low, high) => {
                let number = (low.ln() + (high.ln() - low.ln()) * unit).exp();
                Value::Number(number.clamp(*low, *high)) // exp(ln low) may be below low
            }
        }
    }
}

/// The index of the one of `count` equal parts that contains the fraction `unit`; `count` is at least 1.
fn place(unit: f64, count: u64) -> u64 {
    ((unit * count as f64) as u64).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_every_combination_and_the_last_dimension_changes_fastest() {
        let space = Space::new().choice("rule", ["adam", "sgd"]).integer("layers", -1, 1);
        let trials: Vec<String> = space.grid().unwrap().iter().map(Trial::to_string).collect();
        let expected = ["adam, layers -1", "adam, layers 0", "adam, layers 1"];
        assert_eq!(trials[..3], expected.map(|rest| format!("rule {rest}")));
        assert_eq!((trials.len(), trials[5].as_str()), (6, "rule sgd, layers 1"));
    }

    #[test]
    fn draws_are_in_their_ranges_and_spread_as_they_say() {
        let space = Space::new()
            .log_uniform("rate", 1e-4, 1e-2)
            .uniform("dropout", 0.2, 0.6)
            .integer("units", 3, 5)
            .choice("rule", ["adam", "sgd"]);
        let trials = space.draw(2_000, 1).unwrap();
        assert_eq!(trials.len(), 2_000);
        let share = |holds: &dyn Fn(&Trial) -> bool| {
            trials.iter().filter(|t| holds(t)).count() as f64 / trials.len() as f64
        };
        let rate = |t: &Trial| t.number("rate").unwrap();
        assert!(trials.iter().all(|t| (1e-4..=1e-2).contains(&rate(t))));
        assert!(trials.iter().all(|t| (0.2..0.6).contains(&t.number("dropout").unwrap())));
        // Five standard deviations of a share of 2,000 are below 0.06.
        assert!((share(&|t| rate(t) < 1e-3) - 0.5).abs() < 0.06);
        assert!((share(&|t| t.number("dropout").unwrap() < 0.3) - 0.25).abs() < 0.06);
        for units in 3..=5 {
            assert!((share(&|t| t.count("units").unwrap() == units) - 1.0 / 3.0).abs() < 0.06);
        }
        assert!((share(&|t| t.word("rule").unwrap() == "sgd") - 0.5).abs() < 0.06);
    }

    #[test]
    fn more_trials_and_more_dimensions_change_none_of_the_others() {
        let space = Space::new().uniform("a", 0.0, 1.0);
        let few = space.draw(5, 3).unwrap();
        assert_eq!(space.draw(9, 3).unwrap()[..5], few);
        assert_ne!(space.draw(5, 4).unwrap(), few);
        let wider = space.uniform("b", 0.0, 1.0).draw(5, 3).unwrap();
        for (a, b) in few.iter().zip(&wider) {
            assert_eq!(a.get("a"), b.get("a"));
        }
    }

    #[test]
    fn a_small_space_is_drawn_once_over() {
        let trials = Space::new().integer("n", 1, 3).draw(50, 0).unwrap();
        let mut found: Vec<usize> = trials.iter().map(|t| t.count("n").unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn the_ends_of_whole_numbers_can_be_drawn() {
        let trials = Space::new().integer("n", i64::MIN, i64::MAX).draw(100, 0).unwrap();
        assert_eq!(trials.len(), 100);
        assert_eq!(place(1.0 - f64::EPSILON / 2.0, 1 << 40), (1 << 40) - 1);
        assert_eq!((place(0.0, 1), place(0.999, 3)), (0, 2));
    }

    #[test]
    fn what_cannot_be_searched_is_an_error() {
        let text = |space: Space| space.draw(3, 0).unwrap_err().to_string();
        assert_eq!(
            text(Space::new()),
            "the number of dimensions must be at least 1, got 0. Add one, such as `.log_uniform(\"rate\", 1e-4, \
             1e-1)`."
        );
        let twice = Space::new().integer("n", 1, 2).uniform("n", 0.0, 1.0);
        assert_eq!(
            text(twice),
            "space: the names of the dimensions must be distinct, got \"n\" twice. Give each dimension a name of its own."
        );
        let none: [f64; 0] = [];
        assert_eq!(
            text(Space::new().choice("rate", none)),
            "space, dimension \"rate\": the number of values of a choice must be at least 1, got 0. Give the \
             values to choose from."
        );
        assert!(
            text(Space::new().integer("n", 2, 1))
                .contains("must be from a lower to a higher end, got 2 to 1")
        );
        for (low, high) in [(1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-f64::MAX, f64::MAX)] {
            assert!(text(Space::new().uniform("x", low, high)).contains("finite bounds"), "{low} {high}");
        }
        assert!(
            text(Space::new().log_uniform("x", 0.0, 1.0))
                .contains("must be between bounds above 0, got 0 to 1")
        );
        let space = Space::new().uniform("x", 0.0, 1.0);
        assert!(
            space
                .draw(0, 0)
                .unwrap_err()
                .to_string()
                .contains("the number of trials must be from 1 to 10000, got 0")
        );
        assert_eq!(
            space.grid().unwrap_err().to_string(),
            "space, dimension \"x\": the values of a grid must be countable, got every number from 0 to 1. List \
             some with `choice`, or draw them with `Search::random`."
        );
        let large = Space::new().integer("a", 1, 101).integer("b", 1, 100);
        assert!(large.grid().unwrap_err().to_string().contains("must be at most 10000, got more"));
        assert!(Space::new().integer("a", i64::MIN, i64::MAX).grid().is_err());
    }
}
