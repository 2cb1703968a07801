//! The messages of TensorBoard's files, encoded by hand: a field is its number and wire type, then its value.
//!
//! ```text
//! Event      1 wall_time (double)   2 step   3 file_version   5 summary   7 session_log
//! SessionLog 1 status: 1 is START
//! Summary    1 value, several times
//! Value      1 tag   2 simple_value (float)   4 image   5 histo
//! Image      1 height   2 width   3 colorspace   4 encoded_image_string
//! Histogram  1 min   2 max   3 num   4 sum   5 sum_squares (doubles)   6 bucket_limit   7 bucket (packed doubles)
//! ```
//!
//! Source: TensorBoard, `tensorboard/compat/proto/event.proto` and `summary.proto`; the encoding is that of
//! <https://protobuf.dev/programming-guides/encoding/>.

/// The number of buckets of a histogram; TensorBoard shows 30.
const BUCKETS: usize = 60;

/// A message under construction.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Returns the bytes written so far.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Continues a message from its bytes.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn varint(&mut self, mut value: u64) {
        while value > 127 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn doubles(&mut self, field: u64, values: &[f64]) {
        self.bytes(field, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    }

    /// Adds a scalar to the summary, as the format's `f32`.
    pub(super) fn scalar(&mut self, tag: &str, value: f64) {
        self.value(tag, |message| message.float(2, value as f32));
    }

    /// Adds an image to the summary, given as a PNG file.
    #[cfg(feature = "plots")]
    pub(super) fn image(&mut self, tag: &str, (width, height): (u64, u64), png: &[u8]) {
        let mut image = Self::default();
        image.number(1, height);
        image.number(2, width);
        image.number(3, 3); // red, green, blue
        image.bytes(4, png);
        self.value(tag, |message| message.bytes(4, &image.0));
    }

    /// Adds a histogram of these numbers to the summary. Numbers that are not finite are left out; if none remain,
    /// nothing is added.
    pub(super) fn histogram(&mut self, tag: &str, values: &[f64]) {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (min, max) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if min > max {
            return;
        }
        // If all numbers are equal, there is one bucket. The ends are halved first, because their difference may
        // overflow.
        let buckets = if min < max { BUCKETS } else { 1 };
        let place = |v: f64| (v / 2.0 - min / 2.0) / (max / 2.0 - min / 2.0) * buckets as f64;
        let mut counts = vec![0.0; buckets];
        finite().for_each(|v| counts[(place(v) as usize).min(buckets - 1)] += 1.0);
        let limit = |i: usize| {
            let share = (i + 1) as f64 / buckets as f64;
            if i + 1 == buckets { max } else { min * (1.0 - share) + max * share }
        };
        let mut histogram = Self::default();
        histogram.double(1, min);
        histogram.double(2, max);
        histogram.double(3, finite().count() as f64);
        histogram.double(4, finite().sum());
        histogram.double(5, finite().map(|v| v * v).sum());
        histogram.doubles(6, &(0..buckets).map(limit).collect::<Vec<f64>>());
        histogram.doubles(7, &counts);
        self.value(tag, |message| message.bytes(5, &histogram.0));
    }

    fn value(&mut self, tag: &str, content: impl FnOnce(&mut Self)) {
        let mut value = Self::default();
        value.bytes(1, tag.as_bytes());
        content(&mut value);
        self.bytes(1, &value.0);
    }

    /// Returns the summary as an event.
    pub(super) fn event(&self, wall_time: f64, step: u64) -> Vec<u8> {
        let mut event = Self::default();
        event.double(1, wall_time);
        event.number(2, step);
        event.bytes(5, &self.0);
        event.0
    }
}

/// Returns the first event of a file.
pub(super) fn version(wall_time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.bytes(3, b"brain.Event:2");
    event.0
}

/// Returns the mark of a run that restarts at a step: readers ignore earlier events of this step and later ones.
pub(super) fn restart(wall_time: f64, step: u64) -> Vec<u8> {
    let (mut event, mut session) = (Message::default(), Message::default());
    session.number(1, 1);
    event.double(1, wall_time);
    event.number(2, step);
    event.bytes(7, &session.0);
    event.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_bytes_of_the_specification() {
        let mut message = Message::default();
        message.number(1, 150);
        message.bytes(2, b"testing");
        assert_eq!(message.0, [&[0x08, 0x96, 0x01, 0x12, 0x07][..], b"testing"].concat());
        let mut summary = Message::default();
        summary.scalar("a", 1.0);
        assert_eq!(summary.0, [0x0a, 8, 0x0a, 1, b'a', 0x15, 0, 0, 0x80, 0x3f]);
        assert_eq!(restart(0.0, 3)[9..], [0x10, 3, 0x3a, 2, 0x08, 1]);
    }

    #[test]
    fn histograms_count_what_is_finite_and_never_panic() {
        let bytes = |values: &[f64]| {
            let mut summary = Message::default();
            summary.histogram("w", values);
            summary.0
        };
        assert!(bytes(&[]).is_empty() && bytes(&[f64::NAN, f64::INFINITY]).is_empty());
        for values in [&[2.0][..], &[f64::MAX, f64::MIN], &[0.0, -0.0, 5e-324], &[1.0, f64::NAN, 3.0]] {
            let summary = bytes(values);
            let buckets = summary.len() / 8;
            let count: f64 = summary[summary.len() - if buckets > 60 { 480 } else { 8 }..]
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
                .sum();
            assert_eq!(count, values.iter().filter(|v| v.is_finite()).count() as f64, "{values:?}");
        }
    }
}
