//! Mutations that keep a model's file readable.
//!
//! A change of one byte in the midst of nested lengths mostly ends at the first length that no longer fits. So a file
//! is taken apart into its layers, one part is changed, and all lengths around it are counted anew. Sizes become large
//! ones that are still valid, and layers are repeated: what a small file may claim is found by that.

/// A file's parts, from the outside in: a model, or a checkpoint.
#[derive(Clone)]
pub struct File {
    head: [u8; 16],
    /// The version, classes and notes, as they are encoded.
    metadata: Vec<u8>,
    /// How many numbers each array has, and their width.
    arrays: Vec<(u64, u8)>,
    shape: Vec<u64>,
    layers: Vec<Layer>,
    /// What a checkpoint has behind the model.
    rest: Vec<u8>,
    numbers: Vec<u8>,
}

/// A layer's kind and its bytes.
#[derive(Clone)]
pub struct Layer {
    kind: Vec<u8>,
    bytes: Vec<u8>,
}

/// A place in bytes that are decoded.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// bincode's integer.
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

    /// A shape, and layers behind it.
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
    /// Takes apart what has the form of a model's file; the sums are not looked at.
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
        let (shape, layers) = body.model()?;
        let rest = body.0.to_vec();
        let numbers = bytes.0[..bytes.0.len().saturating_sub(4)].to_vec();
        Some(Self { head: head[..16].try_into().ok()?, metadata, arrays, shape, layers, rest, numbers })
    }

    /// The file again, with lengths that fit. As many numbers as the arrays have, where those are few.
    pub fn bytes(&self) -> Vec<u8> {
        let mut description = self.metadata.clone();
        integer(self.arrays.len() as u64, &mut description);
        for &(count, width) in &self.arrays {
            integer(count, &mut description);
            description.push(width);
        }
        text(&[model(&self.shape, &self.layers), self.rest.clone()].concat(), &mut description);
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

    /// The same model behind an input of another shape.
    pub fn with_input(&self, shape: &[u64]) -> Self {
        Self { shape: shape.to_vec(), ..self.clone() }
    }

    /// The same model with the layers of its containers in their place, which then take inputs of any shape.
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

    /// Adds another model's layers behind those of this one, with their numbers.
    pub fn append(&mut self, other: &Self) {
        self.layers.extend_from_slice(&other.layers);
        self.arrays.extend_from_slice(&other.arrays);
        self.numbers.extend_from_slice(&other.numbers);
    }

    /// Changes one part; `mutate` changes bytes of some length into others of at most that length and some more.
    pub fn mutate(&mut self, dice: &mut Dice, mutate: &mut dyn FnMut(&mut Vec<u8>)) {
        match dice.below(8) {
            0 => mutate(&mut self.numbers),
            3..=5 if !self.rest.is_empty() => mutate(&mut self.rest),
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

/// Changes one layer of a list, or the list; inside a container where it looks like one.
fn layers(list: &mut Vec<Layer>, dice: &mut Dice, mutate: &mut dyn FnMut(&mut Vec<u8>), depth: usize) {
    if list.is_empty() {
        return;
    }
    let at = dice.below(list.len());
    match dice.below(13) {
        0 => drop(list.remove(at)),
        1 if list.len() < 40 => list.insert(at, list[dice.below(list.len())].clone()),
        // Often a hundred times, seldom thousands.
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
            // Into a container of its own.
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

/// Another number in place of one of a layer's.
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

/// Another number: a neighbour, a small one, or one of those that overflow.
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

/// Numbers drawn from a seed (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// Below `most`, which is not 0.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % most as u64) as usize
    }
}
