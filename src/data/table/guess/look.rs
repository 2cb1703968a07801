//! [`Look`]: what a column's values are like, while the file is looked through.

use super::dates::Dates;
use crate::data::table::number::NumberForm;
use crate::data::table::words::Words;
use crate::shown::cut;

/// How many different values of a column are told apart.
pub(super) const COUNTED: usize = 20_000;

/// What is the same for each value of a column.
pub(super) struct Context<'a> {
    /// Marks of missing values: `.0` in each column, `.1` in those of numbers, booleans and dates.
    pub marks: &'a [Vec<String>; 2],
    /// The forms that numbers may have, at most 4.
    pub forms: &'a [NumberForm],
}

/// What a column's values are like.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The number of values that are there.
    pub seen: usize,
    /// How often each mark stands there: first of those of each column, then of the others, which also count as seen.
    marks: Vec<usize>,
    /// How many values are numbers in exactly these forms, a bit for each, and the first of them.
    pub numbers: [usize; 16],
    pub examples: [Option<Box<(usize, String)>>; 16],
    pub dates: Dates,
    /// Different values, at most [`COUNTED`].
    pub values: Words,
    /// The number of words of values that are no numbers.
    pub words: usize,
    /// The first number with leading zeros, and their number.
    pub zeros: Option<(usize, String)>,
    /// The number of numbers that are not whole, or negative.
    pub not_codes: usize,
    /// The first values that are no numbers.
    pub odd: Vec<(usize, String)>,
}

impl Look {
    /// Takes a value, without spaces at its ends.
    pub fn take(&mut self, text: &str, row: usize, context: &Context<'_>) {
        if text.is_empty() {
            return;
        }
        let [all, more] = context.marks;
        let mark = all.iter().chain(more).position(|mark| mark == text);
        if let Some(mark) = mark {
            self.marks.resize(all.len() + more.len(), 0);
            self.marks[mark] += 1;
            if mark < all.len() {
                return;
            }
        }
        self.seen += 1;
        if self.values.find(text.as_bytes()).is_none() && self.values.len() < COUNTED {
            self.values.add(text);
        }
        if mark.is_some() {
            return;
        }
        let fits = self.number(text, context.forms);
        self.numbers[fits] += 1;
        if self.examples[fits].is_none() {
            self.examples[fits] = Some(Box::new((row, cut(text).into_owned())));
        }
        if fits == 0 {
            self.words += text.split_ascii_whitespace().count();
            self.dates.take(text.as_bytes(), row);
            if self.odd.len() < 3 {
                self.odd.push((row, cut(text).into_owned()));
            }
        } else {
            let unsigned = text.trim_start_matches(['-', '+']).as_bytes();
            if matches!(unsigned, [b'0', second, ..] if second.is_ascii_digit()) {
                self.zeros.get_or_insert_with(|| (0, cut(text).into_owned())).0 += 1;
            }
        }
    }

    /// The forms in which a text is a number, as bits.
    fn number(&mut self, text: &str, forms: &[NumberForm]) -> usize {
        if text.len() < 16 && text.bytes().all(|b| b.is_ascii_digit()) {
            return (1 << forms.len()) - 1;
        }
        let bytes = text.as_bytes();
        let fitting = forms.iter().enumerate().filter(|(_, form)| form.parse(bytes).is_some());
        let bits = fitting.fold(0, |bits, (i, _)| bits | 1 << i);
        self.not_codes += usize::from(bits > 0);
        bits
    }

    /// How often a value is one of the marks that only columns of numbers, booleans and dates have.
    pub fn more_marks(&self, context: &Context<'_>) -> usize {
        self.marks.iter().skip(context.marks[0].len()).sum()
    }

    /// Marks and how often each stands there; and whether it is one in each column.
    pub fn marks<'a>(&'a self, context: &'a Context<'_>) -> impl Iterator<Item = (&'a str, usize, bool)> {
        let [all, more] = context.marks;
        let everywhere = all.len();
        let marks = all.iter().chain(more).zip(&self.marks).enumerate();
        let found = marks.filter(|(_, (_, count))| **count > 0);
        found.map(move |(i, (mark, &count))| (mark.as_str(), count, i < everywhere))
    }

    /// The number of values that are numbers in some form.
    pub fn any_number(&self) -> usize {
        self.numbers[1..].iter().sum()
    }

    /// Whether all values are numbers in this form, of the position `form`.
    pub fn fits(&self, form: usize) -> bool {
        let unfit =
            (0..16).filter(|bits| bits >> form & 1 == 0).map(|bits| self.numbers[bits]).sum::<usize>();
        unfit == 0 && self.any_number() > 0
    }
}
