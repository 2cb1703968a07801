//! Text processing: tokens, vocabularies, arrays of ids, and CSV files.

use plywood::prelude::*;

fn text<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

fn words(text: &str) -> Vec<String> {
    Tokenizer::words().tokens(text)
}

#[test]
fn words_are_unicodes_in_lower_case() {
    assert_eq!(
        words("  Hello, WORLD!x86_64\tÉtude 東京 Ünï-2 "),
        ["hello", "world", "x86_64", "étude", "東", "京", "ünï", "2"]
    );
    for nothing in ["", " ", "!?\n\0", "\u{301}", "\u{ad}", "# © ™ → …", "\u{200d}"] {
        assert!(words(nothing).is_empty(), "{nothing:?}");
    }
    assert_eq!(words("İ ß ǅ"), ["i\u{307}", "ß", "ǆ"]); // a letter can become two characters
}

#[test]
fn english_and_european_texts_give_what_is_expected() {
    for (text, expected) in [
        ("Don't e-mail: it costs 3.5 % (or 1,000.50 €).", "don't|e|mail|it|costs|3.5|or|1,000.50"),
        ("“It’s”, she said, 'isn't it'?", "it's|she|said|isn't|it"),
        ("node.js and C++; C# or .NET 4.8.1", "node.js|and|c|c|or|net|4.8.1"),
        ("state-of-the-art/GPU: libfoo2-dev (>= 1:2.3)", "state|of|the|art|gpu|libfoo2|dev|1|2.3"),
        ("L\u{2019}été à Œuvre, garçon, naïve", "l'été|à|œuvre|garçon|naïve"),
        ("Straßen-Karte; GRÜSSE aus Århus", "straßen|karte|grüsse|aus|århus"),
        ("¿Qué? ¡Niño!", "qué|niño"),
        ("Żółć i łódź", "żółć|i|łódź"),
        ("Ο ΟΔΟΣ της ΜΑΡΊΑΣ", "ο|οδος|της|μαρίας"), // a sigma at the end of a word has a different lower case
        ("Ёлка, ПРИВЕТ", "ёлка|привет"),
        ("a_b __init__ _", "a_b|__init__"),
    ] {
        assert_eq!(words(text).join("|"), expected, "{text}");
    }
}

#[test]
fn other_scripts_marks_and_emoji_are_whole() {
    for (text, expected) in [
        ("हिन्दी", vec!["हिन्दी"]),
        ("हिन्दी में लिखा", vec!["हिन्दी", "में", "लिखा"]),
        ("می\u{200c}خواهم", vec!["می\u{200c}خواهم"]),
        ("தமிழ் తెలుగు বাংলা", vec!["தமிழ்", "తెలుగు", "বাংলা"]),
        ("שָׁלוֹם עולם\u{200f}!", vec!["שָׁלוֹם", "עולם"]),
        ("السّلام عليكم", vec!["السّلام", "عليكم"]),
        ("カタカナ 한국어", vec!["カタカナ", "한국어"]),
        ("co\u{ad}oper\u{ad}ate", vec!["cooperate"]),
        ("\u{feff}word\u{2060}s \u{202a}left\u{202c}", vec!["words", "left"]),
        ("😀 👍", vec!["😀", "👍"]),
        ("😀👍🏽!❤️", vec!["😀", "👍🏽", "❤️"]),
        ("👨\u{200d}👩\u{200d}👧 🇩🇪🇫🇷 ☀", vec!["👨\u{200d}👩\u{200d}👧", "🇩🇪", "🇫🇷", "☀"]),
        ("good👍", vec!["good", "👍"]),
    ] {
        let composed: Vec<String> = words(text);
        // The Hebrew and the Bengali texts are already in normalization form C here.
        assert_eq!(composed, expected, "{text}");
    }
}

#[test]
fn what_looks_the_same_is_the_same_word() {
    for (one, other) in [
        ("Étude", "E\u{301}tude"),
        ("İstanbul", "I\u{307}stanbul"),
        ("Ångström", "A\u{30a}ngstro\u{308}m"),
        ("\u{212b}", "Å"), // the ångström sign
        ("한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"),
        ("ậ", "a\u{302}\u{323}"),
        ("don't", "don’t"),
        ("naïve", "na\u{ad}ïve"),
    ] {
        assert_eq!(words(one), words(other), "{one}");
        assert_eq!(words(one).len(), 1, "{one}");
    }
}

#[test]
fn texts_that_are_cut_already_are_cut_at_spaces_alone() {
    let tokens = |text| Tokenizer::whitespace().bigrams(true).tokens(text);
    assert_eq!(tokens(" ภาษา\u{3000}ไทย\nC++ "), ["ภาษา", "ไทย", "c++", "ภาษา ไทย", "ไทย c++"]);
    assert!(tokens(" \t\n").is_empty());
}

#[test]
fn a_rule_of_another_version_is_refused_by_name() {
    let vocabulary = Vocabulary::of(Tokenizer::words()).fit(&["don't"]).unwrap();
    let json = serde_json::to_string(&vocabulary).unwrap();
    assert_eq!(
        json,
        r#"{"tokenizer":{"rule":"unicode-words-1","pairs":false,"pieces":null},"tokens":["don't"]}"#
    );
    for (rule, found) in [("", "none: runs of letters and digits"), (r#""rule":"words-9","#, "words-9")] {
        let other = json.replace(r#""rule":"unicode-words-1","#, rule);
        let error = serde_json::from_str::<Vocabulary>(&other).unwrap_err().to_string();
        let expected = format!(
            "the tokenizer's rule for words must be unicode-words-1 or whitespace-1, got {found}. Another version \
             of Plywood wrote it, which splits texts differently: fit the vocabulary again, and train the model \
             with it."
        );
        assert!(error.starts_with(&expected), "{error}");
    }
    for tokenizer in [Tokenizer::words().bigrams(true), Tokenizer::whitespace().characters(2, 3)] {
        let json = serde_json::to_string(&tokenizer).unwrap();
        assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), tokenizer);
    }
}

#[test]
fn pairs_and_pieces_follow_the_words() {
    let tokens = Tokenizer::words().bigrams(true).characters(2, 3).tokens("Éa b");
    assert_eq!(tokens, ["éa", "b", "éa b", "#<é", "#éa", "#a>", "#<éa", "#éa>", "#<b", "#b>", "#<b>"]);
}

#[test]
fn odd_lengths_of_pieces_do_not_panic_and_are_refused_by_fit() {
    for (shortest, longest) in [(0, 0), (0, 3), (4, 2), (3, 11), (usize::MAX, usize::MAX), (0, usize::MAX)] {
        let tokenizer = Tokenizer::words().characters(shortest, longest);
        assert!(tokenizer.tokens("some wörds").len() >= 2);
        let expected = format!(
            "the pieces of words must be from 1 to 10 characters long, the shortest first, got {shortest} to \
             {longest}. 3 to 5 are usual."
        );
        assert_eq!(text(Vocabulary::of(tokenizer).fit(&["a"])), expected);
    }
}

#[test]
fn ids_fall_with_frequency_and_ties_are_alphabetical() {
    let texts = ["b a c", "c b d", "c e"];
    let fitted = Vocabulary::of(Tokenizer::words()).fit(&texts).unwrap();
    assert_eq!(fitted.tokens(), ["c", "b", "a", "d", "e"]);
    assert_eq!((fitted.id("c"), fitted.id("e"), fitted.id("x"), fitted.len()), (Some(2), Some(6), None, 7));
    let turned: Vec<&str> = texts.iter().rev().copied().collect();
    assert_eq!(Vocabulary::of(Tokenizer::words()).fit(&turned).unwrap().tokens(), fitted.tokens());
    let capped = Vocabulary::of(Tokenizer::words()).max_size(5).fit(&texts).unwrap();
    assert_eq!((capped.tokens(), capped.len()), (&fitted.tokens()[..3], 5));
    let counted = Vocabulary::of(Tokenizer::words()).min_count(2).fit(&texts).unwrap();
    assert_eq!(counted.tokens(), ["c", "b"]);
}

#[test]
fn encoding_pads_and_cuts_and_leaves_unknown_pairs_out() {
    let vocabulary = Vocabulary::of(Tokenizer::words().bigrams(true)).fit(&["x y", "x"]).unwrap();
    assert_eq!(vocabulary.tokens(), ["x", "x y", "y"]);
    let ids = vocabulary.encode(&["", "x y", "y x z", "?!"], 3).unwrap();
    assert_eq!(ids, ndarray::arr2(&[[0., 0., 0.], [2., 4., 3.], [4., 2., 1.], [0., 0., 0.]]));
    assert_eq!(vocabulary.encode(&["x y"], 1).unwrap(), ndarray::arr2(&[[2.]]));
    assert_eq!(vocabulary.encode::<&str>(&[], 4).unwrap().shape(), [0, 4]);
}

#[test]
fn settings_out_of_range_are_errors() {
    let spec = || Vocabulary::of(Tokenizer::words());
    for size in [0, 2, (1 << 24) + 1, usize::MAX] {
        assert!(
            text(spec().max_size(size).fit(&["a"])).contains("vocabulary's size must be from 3 to 16777216"),
            "{size}"
        );
    }
    assert_eq!(
        text(spec().min_count(2).fit(&["a b", "?"])),
        "the texts must have a token that occurs at least 2 times, got none in 2 texts. Give training texts with \
         words, or use a smaller `min_count`."
    );
    assert!(spec().fit::<&str>(&[]).is_err());
    let vocabulary = spec().min_count(0).fit(&["a"]).unwrap();
    assert!(text(vocabulary.encode(&["a"], 0)).starts_with("the length of texts must be at least 1, got 0."));
    for length in [usize::MAX, usize::MAX / 2, usize::MAX / 8] {
        assert!(text(vocabulary.encode(&["a", "a"], length)).contains("small enough to fit into memory"));
    }
}

#[test]
fn a_vocabulary_survives_serde_and_a_corrupt_one_is_refused() {
    let texts = ["not good", "good"];
    let vocabulary = Vocabulary::of(Tokenizer::words().bigrams(true).characters(3, 4)).fit(&texts).unwrap();
    let json = serde_json::to_string(&vocabulary).unwrap();
    let back: Vocabulary = serde_json::from_str(&json).unwrap();
    assert_eq!((back.tokens(), back.tokenizer()), (vocabulary.tokens(), vocabulary.tokenizer()));
    assert_eq!(back.encode(&texts, 30).unwrap(), vocabulary.encode(&texts, 30).unwrap());
    let twice = json.replace("\"not good\"", "\"good\"");
    let error = serde_json::from_str::<Vocabulary>(&twice).unwrap_err().to_string();
    assert!(error.contains("different tokens, got \"good\" twice"), "{error}");
    assert!(serde_json::from_str::<Vocabulary>(&json.replace("[3,4]", "[4,3]")).is_err());
}

#[test]
fn labels_become_classes_in_sorted_order() {
    let data = LabelledTexts::new(vec!["1", "2", "3"], &["b", "a", "b"]).unwrap();
    assert_eq!((data.labels(), data.class_names()), (&[1, 0, 1][..], &["a".to_owned(), "b".to_owned()][..]));
    let (first, rest) = data.clone().split_at(3).unwrap();
    assert!(first == data && rest.is_empty() && rest.class_names().len() == 2);
    assert!(
        text(data.split_at(4)).starts_with("the number of texts in the first part must be at most 3, got 4.")
    );
    assert_eq!(
        text(LabelledTexts::new(vec!["1"], &["a", "b"])),
        "the number of labels must be 1, one for each text, got 2. Give one label for each text."
    );
    let names = vec!["a".to_owned(), "a".to_owned()];
    assert!(text(LabelledTexts::with_classes(vec!["1"], &["a"], names)).contains("\"a\" twice"));
}

#[test]
fn a_bag_of_words_learns_from_texts() {
    let texts: Vec<String> =
        (0..60).map(|i| format!("{} number {i}", ["cats purr", "dogs bark", "cats bark"][i % 3])).collect();
    let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let vocabulary = Vocabulary::of(Tokenizer::words().bigrams(true)).min_count(2).fit(&texts).unwrap();
    let data = ArrayDataset::new(vocabulary.encode(&texts, 8).unwrap(), labels).unwrap();
    let bag = EmbeddingBag::vocabulary(vocabulary.len(), 8).padding(Vocabulary::PADDING);
    let mut model =
        Sequential::builder([8]).layer(bag).layer(Dense::units(3)).layer(Softmax).build().unwrap();
    let trainer = Trainer::new(CrossEntropy::default(), Adam::default()).learning_rate(0.05).epochs(20);
    trainer.progress(Progress::Silent).fit(&mut model, &data).unwrap();
    assert_eq!(evaluate::confusion_matrix(&model, &data).unwrap().accuracy(), 1.0);
}

#[cfg(feature = "csv")]
mod csv {
    use super::*;
    use plywood::data::TextCsv;
    use std::io::Write;

    fn read(bytes: &[u8]) -> Result<LabelledTexts> {
        LabelledTexts::csv_from(bytes, "f.csv", "label", "text")
    }

    #[test]
    fn quotes_line_ends_marks_and_other_columns() {
        let file = "\u{feff}text,id,label\r\n\"a, \"\"b\"\"\nc\",7,x\r\n\nit's 5\" long,8,w";
        let data = read(file.as_bytes()).unwrap();
        assert_eq!(data.texts(), ["a, \"b\"\nc", "it's 5\" long"]);
        assert_eq!((data.labels(), data.class_names().join(" ")), (&[1, 0][..], "w x".to_owned()));
        assert!(read(b"label,text\n").unwrap().is_empty());
    }

    #[test]
    fn faults_name_row_and_column() {
        let fails =
            |bytes: &[u8], expected: &str| assert_eq!(text(read(bytes)), format!("f.csv: {expected}"));
        fails(b"", "the header must have the names of the columns, got an empty file. Check the file.");
        fails(
            b"label,text\na,b\nc\n",
            "row 2 must have 2 fields, as the header has, got 1. Put quotes around fields with separators or line \
             ends, or leave such rows out with `skip_faulty`.",
        );
        fails(
            b"label,text\n,b\n",
            "row 1, column \"label\" must be a label, got nothing. Fill it in, or leave such rows out with \
             `skip_faulty`.",
        );
        fails(
            b"label,text\na, \n",
            "row 1, column \"text\" must be a text, got nothing. Fill it in, or leave such rows out with \
             `skip_faulty`.",
        );
        assert!(text(read(b"label,text\na,b\xff\n")).starts_with(
            "f.csv: row 1, column \"text\" must be UTF-8, got the byte 0xff in \"b\u{fffd}\". Save"
        ));
        assert!(
            text(LabelledTexts::read_csv("no/such.csv", "a", "b")).starts_with("could not open no/such.csv")
        );
    }

    #[test]
    fn faulty_rows_are_left_out_and_listed_where_the_user_says_so() {
        let file = b"label,text\na,one\nb\na,\n,three\nc,four\nb,fi\xffve\nb,six\n";
        let csv = TextCsv::columns("label", "text").classes(["a", "b"]).skip_faulty(true);
        let rows = csv.read_from(&file[..], "f.csv").unwrap();
        assert_eq!((rows.texts.texts().join(" "), rows.texts.labels()), ("one six".to_owned(), &[0, 1][..]));
        let numbers: Vec<usize> = rows.skipped.iter().map(|(row, _)| *row).collect();
        assert_eq!(numbers, [2, 3, 4, 5, 6]);
        assert_eq!(
            rows.skipped[3].1.to_string(),
            "f.csv: row 5, column \"label\" must be one of the 2 classes (a, b), got \"c\". Train on data with \
             this class, or leave such rows out with `skip_faulty`."
        );
        let said = rows.to_string();
        assert!(said.starts_with("2 texts in 2 classes\nf.csv: 5 rows left out:\n  row 2 must"), "{said}");
        assert_eq!(said.lines().count(), 7);
        // The remarks go to training together with the texts.
        assert_eq!(rows.texts.remarks().join("\n"), said.split_once('\n').unwrap().1);
        let many = format!("label,text\na,one\n{}", "b\n".repeat(3000));
        let rows = TextCsv::columns("label", "text").skip_faulty(true);
        let rows = rows.read_from(many.as_bytes(), "f.csv").unwrap();
        assert_eq!((rows.left_out, rows.skipped.len(), rows.skipped[999].0), (3000, 1000, 1001));
        assert!(rows.to_string().contains("f.csv: 3000 rows left out:"), "{rows}");
        let many = format!("label,text\na,one\n{}", "b\n".repeat(30));
        let rows =
            TextCsv::columns("label", "text").skip_faulty(true).read_from(many.as_bytes(), "f.csv").unwrap();
        let [remark] = rows.texts.remarks() else { panic!("{:?}", rows.texts.remarks()) };
        assert!(remark.starts_with("f.csv: 30 rows left out:\n  row 2 must have 2 fields"), "{remark}");
        assert!(remark.ends_with("\n  and 20 more") && remark.lines().count() == 12, "{remark}");
        let full = rows.skipped[0].1.to_string();
        let remedy = full.split_once(". ").expect("a remedy").1;
        assert_eq!(remark.matches(remedy).count(), 1, "{remedy} in {remark}");
        assert!(read(b"label,text\na,one\nb,two\n").unwrap().remarks().is_empty());
    }

    #[test]
    fn quotes_that_do_not_fit_are_errors_whatever_the_user_chose() {
        let strict = TextCsv::columns("label", "text");
        for csv in [strict.clone(), strict.skip_faulty(true)] {
            let fails = |file: &str, what: &str, found: &str| {
                assert_eq!(
                    text(csv.read_from(file.as_bytes(), "f.csv")),
                    format!(
                        "f.csv: {what} must have its quotes in pairs, got {found}. Write a quote inside of quotes \
                         twice; the rows after it cannot be told apart."
                    )
                );
            };
            let open = "a quote that is never closed";
            fails("label,text\na,one\nb,\"two\na,three\nb,four\n", "row 2", open);
            fails("label,text\n\"a,one\n", "row 1", open);
            fails("label,\"text\na,one\n", "the header", open);
            // Large enough that the file does not fit into one buffer.
            let rows = "a,some words\n".repeat(20_000);
            fails(&format!("label,text\n{rows}b,\"open\n{rows}"), "row 20001", open);
            let torn = "a closing quote that is not followed by a separator or the end of the line";
            fails("label,text\na,one\nb,\"two\na,\"three\nb,four\n", "row 2", torn);
            fails("label,text\na,\"he said \\\"no\\\"\"\n", "row 1", torn);
            fails("la\"b,\"te\"xt\"\na,one\n", "the header", torn);
        }
    }

    #[test]
    fn gzip_is_told_by_its_first_bytes() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"label,text\na,one\nb,two\n").unwrap();
        let bytes = encoder.finish().unwrap();
        assert_eq!(read(&bytes).unwrap().texts(), ["one", "two"]);
        for end in 2..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        // A small file that unpacks to a large one.
        let csv = || TextCsv::columns("label", "text");
        let most = 23 + 3 * 64;
        assert_eq!(csv().most_unpacked(most).read_from(&bytes[..], "f.gz").unwrap().texts.len(), 2);
        assert_eq!(
            text(csv().most_unpacked(most - 1).read_from(&bytes[..], "f.gz")),
            "f.gz: could not read f.gz: it unpacks to more than 214 bytes, where each line takes 64 beside its text. \
             Raise `most_unpacked`, if you trust the file."
        );
        let table = TableCsv::target("label").most_unpacked(most - 1).read_from::<f32>(&bytes[..], "f.gz");
        assert!(table.unwrap_err().to_string().contains("more than 214 bytes"));
        // Zero bytes after the last member are padding, as for gzip(1) and Python.
        let filled = [&bytes[..], &[0; 1000]].concat();
        assert_eq!(read(&filled).unwrap().texts(), ["one", "two"]);
        // Other bytes are an error: half a file may have been written over a complete one.
        for behind in [&b"a,three\n"[..], &[0, 0, 7]] {
            assert_eq!(
                text(read(&[&bytes[..], behind].concat())),
                format!(
                    "f.csv: could not read f.csv: bytes that are not gzip data follow it, from {:#04x} on. Get \
                     the file again, or unpack it (`gunzip`) and give the file that comes out.",
                    behind.iter().find(|&&byte| byte > 0).unwrap()
                )
            );
        }
        // Compressed twice, which no other encoding would repair.
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&bytes).unwrap();
        assert_eq!(
            text(csv().read_from(&encoder.finish().unwrap()[..], "f.gz")),
            "f.gz: the file must be compressed once, got gzip data within gzip data: it is compressed twice. \
             Unpack it once (`gunzip`) and give the file that comes out."
        );
    }

    #[test]
    fn other_ways_to_compress_are_named() {
        let path = std::env::temp_dir().join(format!("plywood-packed-{}", std::process::id()));
        for (bytes, format, program) in [
            (&b"\x28\xb5\x2f\xfd\x04\x00"[..], "zstd", "unzstd"),
            (b"PK\x03\x04\x14\0", "zip", "unzip"),
            (b"\xfd7zXZ\0\0\x04", "xz", "unxz"),
            (b"BZh91AY&SY\x01", "bzip2", "bunzip2"),
            (b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0", "bzip2", "bunzip2"),
        ] {
            let remedy = format!("Unpack it (`{program}`) and give the file that comes out.");
            let found = format!("got {format} data. {remedy}");
            let expected = format!("the file must be plain or compressed by gzip, {found}");
            assert_eq!(text(read(bytes)), format!("f.csv: {expected}"));
            let table = TableCsv::target("y").read_from::<f32>(bytes, "f.csv");
            assert_eq!(text(table), format!("f.csv: {expected}"));
            std::fs::write(&path, bytes).unwrap();
            let stream = text(TableCsv::target("y").stream::<f32>(&path));
            let expected = format!("the file must be uncompressed, {found}");
            assert_eq!(stream, format!("{}: {expected}", path.display()));
        }
        std::fs::remove_file(&path).unwrap();
        let csv = TextCsv::columns("BZh9", "PK");
        assert_eq!(csv.read_from("BZh9,PK\na,b\n".as_bytes(), "f.csv").unwrap().texts.len(), 1);
        assert_eq!(csv.read_from("PK,BZh9\na,b\n".as_bytes(), "f.csv").unwrap().texts.len(), 1);
    }

    #[test]
    fn a_space_before_a_quote_is_named() {
        let remedy = "A quote opens a field only right after the separator: remove the spaces before it.";
        let csv = TextCsv::columns("label", "text");
        let fails = |csv: &TextCsv, file: &str, what: &str| {
            let found = text(csv.read_from(file.as_bytes(), "f.csv"));
            assert_eq!(found, format!("f.csv: {what}. {remedy}"));
        };
        fails(&csv, "label,text\na, \"b, c\"\n", "row 1 must have 2 fields, as the header has, got 3");
        fails(
            &csv,
            "label, \"text\"\na,b\n",
            "the header must have a column \"text\", got \"label\", \"\\\"text\\\"\"",
        );
        fails(
            &csv.clone().classes(["a", "b"]),
            "text,label\nc, \"a\"\n",
            "row 1, column \"label\" must be a label with quotes around it or without quotes, got \" \\\"a\\\"\", \
             with a space before the quote",
        );
        // Also without a list of classes: the label would become a second class beside `a`.
        fails(
            &csv,
            "text,label\nb,a\nc,  \"a\"\n",
            "row 2, column \"label\" must be a label with quotes around it or without quotes, got \"  \
             \\\"a\\\"\", with a space before the quote",
        );
        // Text within quotes is kept unchanged, and so are texts.
        let read = csv.read_from("label,text\n\" \"\"a\"\"\", \"b\"\n".as_bytes(), "f.csv").unwrap().texts;
        assert_eq!((&read.class_names()[0][..], &read.texts()[0][..]), ("\"a\"", " \"b\""));
        let skipped = csv.clone().skip_faulty(true);
        let rows = skipped.read_from("text,label\nb,a\nc,\t\"a\"\n".as_bytes(), "f.csv").unwrap();
        assert_eq!((rows.texts.len(), rows.left_out, rows.texts.class_names().len()), (1, 1, 1));
        let table = TableCsv::target("y").classes(["1"]);
        for (file, found) in [
            ("x,y\n 1,  \"2\"\n", "row 1, column \"y\" must be a finite number, got \"\\\"2\\\"\""),
            ("x,y\n1, \"2,5\"\n", "row 1 must have 2 fields, as the header has, got 3"),
        ] {
            let error = text(table.read_from::<f32>(file.as_bytes(), "f.csv"));
            assert_eq!(error, format!("f.csv: {found}. {remedy}"));
        }
        for table in [table, TableCsv::target("y")] {
            let error = text(table.read_labelled_from::<f32>("x,y\n1, \"2\"\n".as_bytes(), "f.csv"));
            let found = "got \" \\\"2\\\"\", with a space before the quote";
            let expected = "row 1, column \"y\" must be a label with quotes around it or without quotes";
            assert_eq!(error, format!("f.csv: {expected}, {found}. {remedy}"));
        }
    }
}
