//! Logs on disk contain the values of the history. This test reads them with its own parsers;
//! `tests/tensorboard/check.py` reads the same files with TensorBoard.

use plywood::data::synthetic;
use plywood::prelude::*;
use plywood::train::{Checkpoints, CsvLog, JsonLines, TensorBoard};
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn trained(callbacks: impl FnOnce(Trainer) -> Trainer) -> (History, Vec<f32>) {
    let (train, _) = synthetic::garments(400, 10, 1).unwrap();
    let mut model = Sequential::builder([28, 28])
        .seed(1)
        .layer(Flatten)
        .layer(Dense::units(12))
        .layer(ReLU)
        .layer(Dense::units(10))
        .layer(Softmax)
        .build()
        .unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(4)
        .validation_split(0.2)
        .metric(Accuracy::default());
    let history = callbacks(trainer.progress(Progress::Silent)).fit(&mut model, &train).unwrap();
    let mut bits = Vec::new();
    model.visit_params(&mut |_, param| bits.extend_from_slice(param.as_slice()));
    (history, bits)
}

type Trainer = plywood::train::Trainer<CrossEntropy, f32>;

/// Computes the checksum by its definition, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 };
        }
    }
    !sum
}

/// Returns the data of each record; panics if a length or a checksum is wrong.
fn records(mut file: &[u8]) -> Vec<&[u8]> {
    let unmask = |bytes: &[u8]| {
        let masked = u32::from_le_bytes(bytes.try_into().unwrap()).wrapping_sub(0xa282_ead8);
        masked.rotate_left(15)
    };
    let mut found = Vec::new();
    while !file.is_empty() {
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        assert_eq!(unmask(&file[8..12]), crc32c(&file[..8]));
        found.push(&file[12..12 + length]);
        assert_eq!(unmask(&file[12 + length..16 + length]), crc32c(&file[12..12 + length]));
        file = &file[16 + length..];
    }
    found
}

/// Returns the fields of a message as numbers and bytes; numeric values are in little-endian order.
fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let byte = message[0];
            *message = &message[1..];
            value |= u64::from(byte & 127) << (7 * place);
            if byte < 128 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, varint(&mut message).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, message[..length].to_vec()));
        message = &message[length..];
    }
    found
}

#[test]
fn event_files_have_the_historys_scalars_and_sound_frames() {
    let folder = folder("logs");
    let board = TensorBoard::new(folder.join("run")).histograms(2);
    #[cfg(feature = "plots")]
    let board = board.filters(2);
    let json = JsonLines::new(folder.join("log.jsonl"));
    let (history, bits) = trained(|trainer| trainer.callback(board.clone()).callback(json));
    board.scalar("own", 7, 0.25).unwrap();
    assert_eq!(bits, trained(|trainer| trainer).1, "to look on changes nothing");

    let files: Vec<_> = fs::read_dir(folder.join("run")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let file = fs::read(&files[0]).unwrap();
    let records = records(&file);
    assert!(fields(records[0]).contains(&(3, b"brain.Event:2".to_vec())));
    let (mut scalars, mut histograms, mut images) = (Vec::new(), Vec::new(), 0);
    for record in &records[1..] {
        let event = fields(record);
        let of = |field| event.iter().find(|(number, _)| *number == field).map(|(_, bytes)| bytes.clone());
        let step = u64::from_le_bytes(of(2).unwrap().try_into().unwrap());
        for (_, value) in fields(&of(5).unwrap()) {
            let value = fields(&value);
            let tag = String::from_utf8(value[0].1.clone()).unwrap();
            match value[1].0 {
                2 => scalars.push((step, tag, f32::from_le_bytes(value[1].1[..].try_into().unwrap()))),
                4 => images += 1,
                5 => histograms.push((step, tag)),
                other => panic!("a value of field {other}"),
            }
        }
    }
    let mut expected = Vec::new();
    for epoch in &history.epochs {
        for (name, value) in &epoch.values {
            expected.push((epoch.number, name.clone(), *value as f32));
        }
        expected.push((epoch.number, "learning_rate".into(), epoch.learning_rate as f32));
        expected.push((epoch.number, "seconds".into(), epoch.seconds as f32));
    }
    expected.push((7, "own".into(), 0.25));
    assert_eq!(scalars, expected);
    assert_eq!(histograms.len(), 2 * 2 * 4, "weights and gradients of four arrays at epochs 1 and 3");
    assert!(histograms.contains(&(3, "gradients/1.weight".into())), "{histograms:?}");
    assert_eq!(images, if cfg!(feature = "plots") { 2 } else { 0 });
}

#[test]
fn lines_have_the_historys_numbers_to_the_bit() {
    let folder = folder("lines");
    let (csv, json) = (folder.join("log.csv"), folder.join("log.jsonl"));
    let add = |trainer: Trainer| trainer.callback(CsvLog::new(&csv)).callback(JsonLines::new(&json));
    let first = trained(add).0;
    let second = trained(add).0; // appends to the same files
    let epochs: Vec<_> = first.epochs.iter().chain(&second.epochs).collect();

    let text = fs::read_to_string(&csv).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    assert_eq!(head[..3], ["epoch", "loss", "accuracy"]);
    let rows: Vec<_> = rows.collect();
    let objects: Vec<serde_json::Value> =
        fs::read_to_string(&json).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), objects.len()), (8, 8));
    for ((row, object), epoch) in rows.iter().zip(&objects).zip(epochs) {
        assert_eq!(object["epoch"], epoch.number);
        for (name, cell) in head.iter().zip(row).skip(1) {
            let value = match *name {
                "learning_rate" => epoch.learning_rate,
                "seconds" => epoch.seconds,
                name => epoch.get(name).unwrap(),
            };
            assert_eq!(cell.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{name}");
            assert_eq!(object[*name].as_f64().unwrap().to_bits(), value.to_bits(), "{name}");
        }
    }
}

#[test]
fn a_path_that_cannot_be_written_ends_training_before_it_begins() {
    let folder = folder("refused");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("file"), "precious").unwrap();
    let path = folder.join("file").join("log");
    let text = |trainer: Trainer| {
        let (train, _) = synthetic::garments(40, 10, 1).unwrap();
        let layers = Sequential::builder([28, 28]).layer(Flatten).layer(Dense::units(10)).layer(Softmax);
        let mut model = layers.build().unwrap();
        trainer.progress(Progress::Silent).fit(&mut model, &train).unwrap_err().to_string()
    };
    let trainer = || Trainer::new(CrossEntropy::default(), Adam::default());
    for text in [
        text(trainer().callback(CsvLog::new(&path))),
        text(trainer().callback(JsonLines::new(&path))),
        text(trainer().callback(TensorBoard::new(&path))),
    ] {
        assert!(text.starts_with("fit, ") && text.contains("could not create the folder"), "{text}");
    }
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "precious");
}

/// Returns the epoch numbers in a CSV or JSON Lines log.
fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let number = |line: &str| {
        let line = line.strip_prefix("{\"epoch\":").unwrap_or(line);
        line.split(',').next().unwrap().parse().ok()
    };
    text.lines().filter_map(number).collect()
}

/// Trains up to `epochs` epochs, optionally from a checkpoint. Logs go to the folder, and checkpoints are written every
/// 7 batches; an epoch has 10.
fn logged(folder: &Path, epochs: usize, from: Option<&str>) -> plywood::Result<History> {
    let (train, _) = synthetic::garments(80, 10, 1)?;
    let layers = Sequential::builder([28, 28]).seed(1).layer(Flatten).layer(Dense::units(10)).layer(Softmax);
    let (mut model, checkpoints) = (layers.build()?, folder.join("checkpoints"));
    let mut trainer = Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(epochs)
        .batch_size(8)
        .callback(CsvLog::new(folder.join("log.csv")))
        .callback(JsonLines::new(folder.join("log.jsonl")))
        .callback(TensorBoard::new(folder.join("run")))
        .checkpoints(Checkpoints::in_folder(&checkpoints).every_epochs(1).every_batches(7).keep_last(100))
        .progress(Progress::Silent);
    if let Some(name) = from {
        // As in a restarted program: later checkpoints do not exist yet.
        let from = checkpoints.join(name);
        for file in fs::read_dir(&checkpoints).unwrap().map(|file| file.unwrap().path()) {
            if file.file_name() > from.file_name() {
                fs::remove_file(file).unwrap();
            }
        }
        let logs = ["log.csv", "log.jsonl"].map(|log| fs::read(folder.join(log)).unwrap());
        trainer.resume(&mut model, from)?;
        let after = ["log.csv", "log.jsonl"].map(|log| fs::read(folder.join(log)).unwrap());
        assert_eq!(logs, after, "`resume` alone touches no log");
    }
    trainer.fit(&mut model, &train)
}

#[test]
fn the_logs_of_a_resumed_run_hold_each_epoch_once() {
    let folder = folder("resumed");
    fs::create_dir_all(&folder).unwrap();
    let earlier = "epoch,loss,learning_rate,seconds\n7,1.0,1.0,1.0\n8,1.0,1.0,1.0\n";
    fs::write(folder.join("log.csv"), earlier).unwrap(); // from an unrelated run
    let both = || (numbers(&folder.join("log.csv")), numbers(&folder.join("log.jsonl")));
    logged(&folder, 3, None).unwrap();
    assert_eq!(both(), (vec![7, 8, 1, 2, 3], vec![1, 2, 3]));

    // From the end of an epoch, from the middle of one, and from before the first line of the run.
    for (from, epochs) in [
        ("epoch-0002.checkpoint", 4),
        ("epoch-0003-batch-00007.checkpoint", 5),
        ("epoch-0005.checkpoint", 6),
        ("epoch-0001-batch-00007.checkpoint", 3),
    ] {
        let history = logged(&folder, epochs, Some(from)).unwrap();
        let expected: Vec<u64> = (1..=epochs as u64).collect();
        assert_eq!(both(), ([&[7, 8][..], &expected].concat(), expected), "{from}");
        let csv = fs::read_to_string(folder.join("log.csv")).unwrap();
        assert!(csv.starts_with(earlier), "{csv}");
        let losses: Vec<f64> =
            csv.lines().skip(3).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
        assert_eq!(losses, history.get("loss"), "each line is that of the history");
    }
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 4, "nothing is left beside: {files:?}");

    // A line cut off by a kill; another run that was logged below; and a file that was replaced.
    let add = |text: &str| {
        let csv = fs::read_to_string(folder.join("log.csv")).unwrap();
        fs::write(folder.join("log.csv"), csv + text).unwrap();
    };
    add("4,0.2");
    logged(&folder, 3, Some("epoch-0002.checkpoint")).unwrap();
    assert_eq!(both().0, [7, 8, 1, 2, 3]);
    add("1,1.0,1.0,1.0\n2,1.0,1.0,1.0\n");
    logged(&folder, 3, Some("epoch-0002.checkpoint")).unwrap();
    assert_eq!(both().0, [7, 8, 1, 2, 1, 2, 3]);
    let other = format!("{}{}", earlier, "3,1.0,1.0,1.0\n".repeat(100));
    fs::write(folder.join("log.csv"), &other).unwrap();
    logged(&folder, 3, Some("epoch-0002.checkpoint")).unwrap();
    let csv = fs::read_to_string(folder.join("log.csv")).unwrap();
    assert!(csv.starts_with(&other) && csv.lines().count() == other.lines().count() + 1);
}

#[test]
fn a_resumed_run_marks_where_tensorboard_forgets() {
    let folder = folder("marked");
    logged(&folder, 3, None).unwrap();
    logged(&folder, 4, Some("epoch-0002-batch-00007.checkpoint")).unwrap();
    logged(&folder, 4, Some("epoch-0003.checkpoint")).unwrap();
    let mut files: Vec<_> =
        fs::read_dir(folder.join("run")).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    // TensorBoard reads a folder as follows: a START event discards events at the same step and later.
    let (mut steps, mut marks) = (Vec::new(), Vec::new());
    for file in files {
        let file = fs::read(file).unwrap();
        let mut version = false;
        for event in records(&file).into_iter().map(fields) {
            let of = |field| event.iter().find(|(number, _)| *number == field).map(|(_, bytes)| &bytes[..]);
            let step = || u64::from_le_bytes(of(2).unwrap().try_into().unwrap());
            version |= of(3).is_some();
            if let Some(session) = of(7) {
                assert!(version && fields(session) == [(1, 1u64.to_le_bytes().to_vec())]);
                marks.push(step());
                steps.retain(|&earlier| earlier < step());
            } else if of(5).is_some() {
                steps.push(step());
            }
        }
    }
    assert_eq!((marks, steps), (vec![2, 4], vec![1, 2, 3, 4]));
}

#[cfg(unix)]
#[test]
fn a_log_behind_a_link_is_shortened_where_it_is() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = folder("linked");
    logged(&folder, 3, None).unwrap();
    // A link stays a link, and its target keeps its mode.
    let (csv, there) = (folder.join("log.csv"), folder.join("there.csv"));
    fs::rename(&csv, &there).unwrap();
    symlink("there.csv", &csv).unwrap();
    fs::set_permissions(&there, fs::Permissions::from_mode(0o640)).unwrap();
    logged(&folder, 3, Some("epoch-0001.checkpoint")).unwrap();
    assert!(csv.is_symlink() && numbers(&there) == [1, 2, 3]);
    assert_eq!(fs::metadata(&there).unwrap().permissions().mode() & 0o777, 0o640);
}
