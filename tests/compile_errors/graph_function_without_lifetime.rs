//! E0106
use plywood::nn::Value;

fn both(x: Value, y: Value) -> Value {
    (x * y).tanh()
}

fn main() {
    let _ = both;
}
