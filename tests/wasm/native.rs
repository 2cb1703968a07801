//! Prints what the module says, computed by this machine.

fn main() {
    println!("{}", plywood_wasm::report());
}
