//! A program that only infers contains nothing of training.

use crate::folder::Folder;
use plywood::ndarray::ArrayD;
use plywood::prelude::*;
use std::path::PathBuf;
use std::process::Command;

/// Returns how many mangled names in a program have this part. The length of each part precedes it.
fn symbols(program: &str, name: &str) -> usize {
    let part = format!("{}{name}", name.len());
    let found = program.match_indices(&part);
    found.filter(|(at, _)| *at > 0 && !program.as_bytes()[at - 1].is_ascii_digit()).count()
}

const TRAINING: [&str; 6] = [
    "erased_backward",
    "erased_forward_in",
    "backward",
    "forward_train",
    "backward_params",
    "map_strip_back",
];

#[test]
fn a_program_that_only_infers_has_no_symbol_of_a_backward_pass() {
    let folder = Folder::new("infer-only");
    let path = folder.file("m.plywood");
    let model = Sequential::builder([4, 4])
        .layer(Flatten)
        .layer(Dense::units(8))
        .layer(ReLU)
        .layer(Dense::units(3))
        .layer(Softmax)
        .build()
        .unwrap();
    model.save(&path).unwrap();
    let program = env!("CARGO_BIN_EXE_infer_only");
    let ran = Command::new(program).arg(&path).output().unwrap();
    let expected = format!("{:?}\n", model.predict(&ArrayD::<f32>::zeros(vec![1, 4, 4])).unwrap());
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), expected);

    let g = Graph::builder();
    let x = g.input("x", [4, 4]).layer(Flatten).layer(Dense::units(8));
    let x = x * x.sigmoid();
    g.output("y", x.layer(Dense::units(3)).softmax(-1));
    let graph = g.build().unwrap();
    graph.save(&path).unwrap();
    let ran = Command::new(program).arg(&path).output().unwrap();
    let expected = format!("{:?}\n", graph.predict(&ArrayD::<f32>::zeros(vec![1, 4, 4])).unwrap());
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), expected);

    if cfg!(not(target_os = "linux")) {
        return;
    }
    // This program trains, so its symbols show what would be found.
    let read = |path: PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let [own, other] = [std::env::current_exe().unwrap(), program.into()].map(read);
    for name in TRAINING {
        assert!(symbols(&own, name) > 0, "{name} in the tests");
        assert_eq!(symbols(&other, name), 0, "{name} in the program that only infers");
    }
    assert!(symbols(&other, "erased_forward_cow") > 0, "the program's symbols are read");
}
