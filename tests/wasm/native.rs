//! Prints the report of the module as computed by this machine.

fn main() {
    println!("{}", plywood_wasm::report());
}
