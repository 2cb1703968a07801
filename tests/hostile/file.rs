//! Mutations that keep a model's file readable.
//!
//! A file has nested lengths, so a change of a single byte mostly fails at the first length that no longer fits. These
//! mutations split a file into its layers, change one part, and recompute all lengths around it. Sizes become large
//! ones that are still valid, and layers are repeated, to test what a small file can claim.

/// The parts of a file, from the outside in: a model, or a checkpoint.
#[derive(Clone)]
pub struct File {
    head: [u8; 16],
    /// The version, classes and notes, in encoded form.
    metadata: Vec<u8>,
    /// The number of values of each array, and their width.
    arrays: Vec<(u64, u8)>,
    /// The kind of the model.
    kind: Vec<u8>,
    shape: Vec<u64>,
    layers: Vec<Layer>,
    /// The part of a checkpoint after the model.
    rest: Vec<u8>,
    numbers: Vec<u8>,
}

/// A layer's kind and its bytes.
#[derive(Clone)]
pub struct Layer {
    kind: Vec<u8>,
    bytes: Vec<u8>,
}

/// The remaining bytes of a decoder.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// Reads an integer in bincode's encoding.
    fn integer(&mut self) -> Option<u64> {
        let first = *self.take(1)?.first()?;
        let width = match first {
            0..=250 => return Some(u64::from(first)),
            251 => 2,
            252 => 4,
            253 => 8,
            _ => return None,
        };
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(self.take(width as u64)?);
        Some(u64::from_le_bytes(wide))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.integer()?;
        self.take(length)
    }

    /// Reads a shape and the layers after it.
    fn model(&mut self) -> Option<(Vec<u64>, Vec<Layer>)> {
        let shape = self.list(64, Self::integer)?;
        let layer =
            |bytes: &mut Self| Some(Layer { kind: bytes.text()?.to_vec(), bytes: bytes.text()?.to_vec() });
        Some((shape, self.list(1 << 14, layer)?))
    }

    fn list<T>(&mut self, most: u64, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.integer().filter(|&count| count <= most)?;
        (0..count).map(|_| item(self)).collect()
    }
}

fn integer(n: u64, out: &mut Vec<u8>) {
    match n {
        0..=250 => out.push(n as u8),
        251..=0xffff => {
            out.push(251);
            out.extend((n as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(252);
            out.extend((n as u32).to_le_bytes());
        }
        _ => {
            out.push(253);
            out.extend(n.to_le_bytes());
        }
    }
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    integer(bytes.len() as u64, out);
    out.extend(bytes);
}

fn model(shape: &[u64], layers: &[Layer]) -> Vec<u8> {
    let mut out = Vec::new();
    integer(shape.len() as u64, &mut out);
    shape.iter().for_each(|&n| integer(n, &mut out));
    integer(layers.len() as u64, &mut out);
    for layer in layers {
        text(&layer.kind, &mut out);
        text(&layer.bytes, &mut out);
    }
    out
}

impl File {
    /// Parses bytes that have the form of a model's file; checksums are ignored.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let head = bytes.take(40)?;
        let length = u64::from_le_bytes(head[16..24].try_into().ok()?);
        let mut description = Bytes(bytes.take(length)?);
        let whole = description.0;
        description.text()?;
        description.list(1 << 14, |b| b.text().map(drop))?;
        description.list(1 << 14, |b| b.text().and(b.text()).map(drop))?;
        let metadata = whole[..whole.len() - description.0.len()].to_vec();
        let arrays = description.list(1 << 14, |b| Some((b.integer()?, *b.take(1)?.first()?)))?;
        let mut body = Bytes(description.text()?);
        let kind = body.text()?.to_vec();
        let (shape, layers) = Bytes(body.text()?).model()?;
        let rest = body.0.to_vec();
        let numbers = bytes.0[..bytes.0.len().saturating_sub(4)].to_vec();
        Some(Self { head: head[..16].try_into().ok()?, metadata, arrays, kind, shape, layers, rest, numbers })
    }

    /// Encodes the file, with correct lengths. If the arrays are small, their values are cut or padded to the right
    /// length.
    pub fn bytes(&self) -> Vec<u8> {
        let mut description = self.metadata.clone();
        integer(self.arrays.len() as u64, &mut description);
        for &(count, width) in &self.arrays {
            integer(count, &mut description);
            description.push(width);
        }
        let mut body = Vec::new();
        text(&self.kind, &mut body);
        text(&model(&self.shape, &self.layers), &mut body);
        body.extend(&self.rest);
        text(&body, &mut description);
        let count = self
            .arrays
            .iter()
            .fold(0u64, |sum, &(count, width)| sum.saturating_add(count.saturating_mul(u64::from(width))));
        let mut numbers = self.numbers.clone();
        if count <= 1 << 14 {
            numbers.resize(count as usize, 0);
        }
        let mut bytes = self.head.to_vec();
        bytes.extend((description.len() as u64).to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(description);
        bytes.extend(numbers);
        bytes.extend([0; 4]);
        bytes
    }

    /// Returns the same model with another input shape.
    pub fn with_input(&self, shape: &[u64]) -> Self {
        Self { shape: shape.to_vec(), ..self.clone() }
    }

    /// Returns the same model with its containers replaced by their layers, which then accept inputs of any shape.
    pub fn unnested(&self) -> Self {
        let mut file = self.clone();
        file.layers = self
            .layers
            .iter()
            .flat_map(|layer| match Bytes(&layer.bytes).model() {
                Some((_, inner)) if layer.kind == b"sequential" => inner,
                _ => vec![layer.clone()],
            })
            .collect();
        file
    }

    /// Appends another model's layers to those of this one, with their values.
    pub fn append(&mut self, other: &Self) {
        self.layers.extend_from_slice(&other.layers);
        self.arrays.extend_from_slice(&other.arrays);
        self.numbers.extend_from_slice(&other.numbers);
    }

    /// Changes one part. `mutate` changes bytes in place, and may make them slightly longer.
    pub fn mutate(&mut self, dice: &mut Dice, mutate: &mut dyn FnMut(&mut Vec<u8>)) {
        match dice.below(8) {
            0 => mutate(&mut self.numbers),
            3..=5 if !self.rest.is_empty() => mutate(&mut self.rest),
            1 if dice.below(8) == 0 => mutate(&mut self.kind),
            1 => numbers(&mut self.shape, dice),
            2 if !self.arrays.is_empty() => {
                let at = dice.below(self.arrays.len());
                match dice.below(4) {
                    0 => drop(self.arrays.remove(at)),
                    1 => self.arrays.insert(at, self.arrays[at]),
                    2 => self.arrays[at].1 ^= 12,
                    _ => self.arrays[at].0 = number(self.arrays[at].0, dice),
                }
            }
            _ => layers(&mut self.layers, dice, mutate, 0),
        }
    }
}

/// Changes one layer of a list, or the list itself; within a container if the layer looks like one.
fn layers(list: &mut Vec<Layer>, dice: &mut Dice, mutate: &mut dyn FnMut(&mut Vec<u8>), depth: usize) {
    if list.is_empty() {
        return;
    }
    let at = dice.below(list.len());
    match dice.below(13) {
        0 => drop(list.remove(at)),
        1 if list.len() < 40 => list.insert(at, list[dice.below(list.len())].clone()),
        // Often up to a hundred copies, sometimes thousands.
        11 if list.len() < 40 => {
            let most = if dice.below(8) == 0 { 13 } else { 8 };
            let times = 1 << dice.below(most);
            list.extend(vec![list[at].clone(); times]);
        }
        2 => {
            let other = dice.below(list.len());
            list.swap(at, other);
        }
        3 => list[at].kind = list[dice.below(list.len())].kind.clone(),
        4 => mutate(&mut list[at].kind),
        5 if depth < 70 => {
            // Wraps the layer in a container.
            let inner = vec![list[at].clone()];
            list[at] = Layer { kind: b"sequential".to_vec(), bytes: model(&[2], &inner) };
        }
        6..=8 => {
            let mut bytes = Bytes(&list[at].bytes);
            match bytes.model() {
                Some((mut shape, mut inner)) if !inner.is_empty() => {
                    let rest = bytes.0.to_vec();
                    if dice.below(8) == 0 {
                        numbers(&mut shape, dice);
                    } else {
                        layers(&mut inner, dice, mutate, depth + 1);
                    }
                    list[at].bytes = model(&shape, &inner);
                    list[at].bytes.extend(rest);
                }
                _ => setting(&mut list[at].bytes, dice),
            }
        }
        9 => setting(&mut list[at].bytes, dice),
        _ => mutate(&mut list[at].bytes),
    }
}

/// Replaces one integer in a layer's bytes.
fn setting(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len().max(1));
    let mut rest = Bytes(bytes.get(at..).unwrap_or_default());
    let Some(n) = rest.integer() else { return };
    let end = bytes.len() - rest.0.len();
    let mut other = Vec::new();
    integer(number(n, dice), &mut other);
    bytes.splice(at..end, other);
}

fn numbers(list: &mut Vec<u64>, dice: &mut Dice) {
    let at = dice.below(list.len().max(1));
    match dice.below(3) {
        0 if !list.is_empty() => drop(list.remove(at)),
        1 => list.insert(at.min(list.len()), number(2, dice)),
        _ => list.iter_mut().skip(at).take(1).for_each(|n| *n = number(*n, dice)),
    }
}

/// Returns another number: a neighbour, a small one, or one that may overflow.
fn number(n: u64, dice: &mut Dice) -> u64 {
    match dice.below(6) {
        0 => n.wrapping_add(1),
        1 => n.wrapping_sub(1),
        2 => 1 << dice.below(64),
        3 => (1u64 << dice.below(64)).wrapping_sub(1),
        4 => n.wrapping_mul(2),
        _ => dice.below(10) as u64,
    }
}

/// A random number generator with a seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// Returns a number below `most`, which must not be 0.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % most as u64) as usize
    }
}
