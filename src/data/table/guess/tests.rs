//! Small files, one for each rule.

use crate::data::{ColumnType, Csv, Table};
use crate::error::Result;
use std::fmt::Write;

fn csv(file: &str) -> Csv {
    Csv::bytes("f.csv", file)
}

fn read(file: &str) -> Table {
    csv(file).read().unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn error(csv: &Csv) -> String {
    csv.read().map(|table| table.to_string()).unwrap_err().to_string()
}

/// The types of all columns, a letter each.
fn types(table: &Table) -> String {
    let letter = |column_type: &ColumnType| match column_type {
        ColumnType::Number => 'n',
        ColumnType::Boolean { .. } => 'b',
        ColumnType::Date(_) => 'd',
        ColumnType::Category => 'c',
        _ => 't',
    };
    table.columns().map(|column| letter(column.column_type())).collect()
}

fn numbers<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    table.column(name).unwrap().as_numbers().unwrap()
}

fn words(table: &Table, name: &str) -> Vec<Option<String>> {
    table.column(name).unwrap().as_texts().unwrap().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn types_are_those_of_all_values() {
    let long = "a text of many words, and ";
    let mut file = "n,b,d,c,t,z,Zip\n".to_owned();
    for i in 0..30 {
        let (b, d) = (["Yes", "no"][i % 2], format!("{}/2/2020 1{}:30", i % 28 + 1, i % 9));
        writeln!(
            file,
            "{i}.5,{b},{d},{},\"{long}{i}\",0{i},1000{}",
            "xyz".get(i % 3..i % 3 + 1).unwrap(),
            i % 4
        )
        .unwrap();
    }
    let table = read(&file);
    assert_eq!((types(&table).as_str(), table.rows()), ("nbdctcc", 30));
    assert_eq!(numbers(&table, "b")[..2], [1.0, 0.0]);
    assert_eq!(table.column("d").unwrap().column_type().to_string(), "a date as %d/%m/%Y %H:%M");
    let text = format!("{long}3");
    assert_eq!(words(&table, "t")[3].as_deref(), Some(text.as_str()));
    let remarks = table.remarks().join("\n");
    for part in
        ["column \"z\": 30 with leading zeros, as \"00\"", "column \"Zip\": taken for categories by its name"]
    {
        assert!(remarks.contains(part), "{remarks}");
    }
    // The last value decides.
    file += "word,,,,,,\n";
    assert_eq!(types(&read(&file)), "cbdctcc");
    let said = csv(&file).missing(["word"]).column("z", ColumnType::Number).date("d", "%d/%m/%Y %H:%M");
    assert_eq!(types(&said.read().unwrap()), "nbdctnc");
}

#[test]
fn separators_are_found_or_said() {
    for separator in [',', ';', '\t', '|'] {
        let file = "a,b\n1,\"x,y\"\n2,z\n".replace(',', &separator.to_string());
        let table = read(&file);
        assert_eq!((types(&table).as_str(), numbers(&table, "a")), ("nc", &[1.0, 2.0][..]));
        assert!(read(&format!("sep={separator}\n{file}")).column("b").is_ok());
    }
    assert_eq!(read("a\n1\n2\n").columns().len(), 1);
    let both = csv("x,y;z\nv,w;u\n");
    assert_eq!(
        error(&both),
        "f.csv: the file must have a separator that fits alone, got two: ',' with 2 fields, \"v\" \"w;u\"; or ';' with \
         2 fields, \"v,w\" \"u\". Say which: `.separator(b',')` or `.separator(b';')`."
    );
    assert!(both.separator(b';').read().is_ok());
    assert!(error(&csv("a,b\n1,2\n").separator(b'"')).contains("the separator must be"));
}

#[test]
fn decimal_marks_are_told_by_any_column_or_are_an_error() {
    let comma = read("a;b\n1,5;7\n2;8\n");
    assert_eq!((numbers(&comma, "a"), comma.to_string().contains("decimal comma")), (&[1.5, 2.0][..], true));
    assert_eq!(numbers(&read("a;b\n1.234,5;x\n2;x\n"), "a"), [1234.5, 2.0]);
    // A decimal point elsewhere tells.
    assert_eq!(numbers(&read("a;b\n1.234;2.5\n2.345;1\n"), "a"), [1.234, 2.345]);
    // In a file with commas between the fields, those in quotes are no decimal marks.
    let english = read("a,b\n\"1,990\",x\n12,x\n");
    assert_eq!(numbers(&english, "a"), [1990.0, 12.0]);
    assert!(english.remarks()[0].ends_with("commas between thousands: \"1,990\" is 1990"), "{english}");
    let unclear = csv("a;b\n839.390;1\n98.567;2\n");
    assert_eq!(
        error(&unclear),
        "f.csv: column \"a\" must have numbers with one reading, got \"839.390\" in row 1, 839.39 with a decimal point, \
         839390 with a decimal comma. Say which: `.decimal_comma(true)` or `.decimal_comma(false)`; of this column alone, \
         `.number_format(\"a\", '.', None)` or `.number_format(\"a\", ',', Some('.'))`."
    );
    let first = |csv: Csv| numbers(&csv.read().unwrap(), "a")[0];
    assert_eq!(first(unclear.clone().decimal_comma(true)), 839_390.0);
    assert_eq!(first(unclear.clone().decimal_comma(false)), 839.39);
    assert_eq!(first(unclear.clone().thousands('.')), 839_390.0);
    assert_eq!(first(unclear.clone().thousands(None)), 839.39);
    assert_eq!(first(unclear.number_format("a", '.', None)), 839.39);
    // Points beside commas.
    let german = csv("a;b;c\n7.250;1,5;74.370\n");
    assert!(
        error(&german)
            .contains("\"7.250\" in row 1, 7.25 with a decimal point, 7250 with a decimal comma; c as well")
    );
    let table = german.clone().decimal_comma(true).number_format("a", '.', None).read().unwrap();
    assert_eq!(["a", "b", "c"].map(|name| numbers(&table, name)[0]), [7.25, 1.5, 74_370.0]);
    assert!(error(&german.number_format("a", 'x', None)).contains("the decimal mark 'x'"));
    assert_eq!(numbers(&csv("a;b\n1'234.5;x\n2;y\n").thousands('\'').read().unwrap(), "a"), [1234.5, 2.0]);
}

#[test]
fn dates_with_two_readings_are_an_error() {
    let both = csv("sold,n\n1/2/2020,1\n3/4/2021,2\n");
    assert_eq!(
        error(&both),
        "f.csv: column \"sold\" must have dates with one reading, got \"1/2/2020\" in row 1, and all others: %d/%m/%Y or \
         %m/%d/%Y. Say which: `.date(\"sold\", \"%d/%m/%Y\")` or `.date(\"sold\", \"%m/%d/%Y\")`."
    );
    assert_eq!(numbers(&both.date("sold", "%m/%d/%Y").read().unwrap(), "sold")[0], 18_263.0 * 86_400.0);
    let mixed = csv("day,n\n04/17/2022,1\n27/06/2022,2\n");
    let text = "column \"day\" must have dates in one form, got \"04/17/2022\" in row 1 as %m/%d/%Y, \"27/06/2022\" in row 2 \
                as %d/%m/%Y. Write them";
    assert!(error(&mixed).contains(text), "{}", error(&mixed));
    assert_eq!(types(&mixed.column("day", ColumnType::Category).read().unwrap()), "cn");
    let table = read("day,n\n2020-01-31,1\n,2\n2020-02-30,1\n2020-02-03,1\n2020-02-04,1\n");
    assert_eq!(types(&table), "cn");
    assert!(
        table.remarks()[0].contains("3 of 4 values are dates, as %Y-%m-%d, but not \"2020-02-30\" in row 3")
    );
    assert!(error(&csv("a,b\n1,2\n").date("a", "%Q")).contains("\"%Q\" as a form of dates"));
}

#[test]
fn headers_are_found_or_said() {
    for (file, first) in [
        ("country,2019,2020\nDE,1,2\nFR,3,4\nDE,3,4\nFR,1,2\n", "country"),
        ("red,big\nblue,small\nred,small\nblue,big\nred,big\n", "0"),
        ("6,5;a\n2,5;b\n3,5;a\n", "0"),
        ("1,2\n3,4\n", "0"),
        ("a,b\n1,2\n", "a"),
        ("day,x\n2020-01-02,u\n", "day"),
        ("a,\n1,2\n", "a"),
    ] {
        let table = read(file);
        assert_eq!(table.columns().next().unwrap().name(), first, "{file}");
    }
    let said = |header| csv("a,b\nc,d\n").header(header).read().unwrap();
    assert_eq!((said(true).rows(), said(false).rows()), (1, 2));
    assert_eq!(
        read("a,,\n1,2,3\n").columns().map(|c| c.name().to_owned()).collect::<Vec<_>>(),
        ["a", "1", "2"]
    );
    assert!(error(&csv("a,a\n1,2\n")).contains("the header must have distinct names, got \"a\" twice"));
    assert!(error(&csv("a,b\n")).contains("must have rows, got"));
    assert!(error(&csv("")).contains("must have"));
}

#[test]
fn marks_of_missing_values_depend_on_the_column() {
    let file = "n,c\n1,NA\nNone,None\n?,x\nnan,?\nN/A,x\n-,Nan\n.,\n,y\n2,x\n";
    let table = read(file);
    assert_eq!((types(&table).as_str(), table.column("n").unwrap().missing()), ("nc", 7));
    let word = |text: &str| Some(text.to_owned());
    let c = [None, word("None"), word("x"), None, word("x"), word("Nan"), None, word("y"), word("x")];
    assert_eq!(words(&table, "c"), c);
    let remarks = table.remarks().join("\n");
    for part in
        ["\"NA\", once, is taken for missing", "\"None\", once, is taken for a value", "\"Nan\" is taken"]
    {
        assert!(remarks.contains(part), "{remarks}");
    }
    let said = csv(file).present(["NA", "N/A"]).missing(["None", "x"]).read().unwrap();
    assert_eq!(types(&said), "cc");
    assert_eq!(words(&said, "c")[..3], [word("NA"), None, None]);
    let marked = csv("a,b\n-999,1\n5,-999\n").missing(["-999"]).read().unwrap();
    assert_eq!((marked.column("a").unwrap().missing(), numbers(&marked, "a")[1]), (1, 5.0));
    assert_eq!(types(&read("a,b\ninf,1\n2,1\n")), "cn");
}

#[test]
fn comments_rows_of_formats_and_quotes_that_mean_nothing() {
    let file = "# \"notes\n#, of the file\n\na\tb\n5s\t7n\n1\t2\n3\t4\n";
    let table = read(file);
    assert_eq!((types(&table).as_str(), table.rows()), ("cc", 3));
    let said = "f.csv: row 1 is no number in 2 columns of numbers, as \"5s\": if it has formats or units, `.skip_rows(1)`";
    assert!(table.remarks()[0].starts_with(said), "{table}");
    let table = csv(file).skip_rows(1).read().unwrap();
    assert_eq!((types(&table).as_str(), numbers(&table, "b")), ("nn", &[2.0, 4.0][..]));
    assert!(read("#a,b\n1,2\n").column("#a").is_ok());
    let bare = "1\t\"so\n2\tan \"odd\" one\n";
    let table = read(bare);
    assert_eq!(words(&table, "1"), [Some("\"so".to_owned()), Some("an \"odd\" one".to_owned())]);
    assert!(table.remarks()[0].contains("quotes are taken for letters"), "{table}");
    // Quotes that pair up over rows.
    let table = read("x\ty\n1\t\"open\n2\tb\n3\tclosed\"\n");
    assert_eq!(table.rows(), 3, "{table}");
    let table = read("x,y\n1,\"open\n2,b\n3,closed\"\n4,d\n");
    let text = "f.csv: row 1, column \"y\", holds line ends and separators, like a row: if a quote was left open there";
    assert!(table.rows() == 2 && table.remarks()[0].starts_with(text), "{table}");
    let torn = csv("a,b\n1,\"open\n2,x\n");
    assert_eq!(
        error(&torn),
        "f.csv: row 1 must have its quotes in pairs, got a quote that is never closed. Write a quote inside of quotes twice; \
         or, if quotes mean nothing in this file, `.quotes(false)`."
    );
    assert_eq!(torn.quotes(false).read().unwrap().rows(), 2);
}

#[test]
fn faults_name_row_and_column() {
    let latin: &[u8] = b"name;n\nK\xf6ln;1\nJena;2\n";
    assert_eq!(
        error(&Csv::bytes("f.csv", latin)),
        "f.csv: row 1, column \"name\" must be UTF-8, got the byte 0xf6 in \"K\u{fffd}ln\". If the file comes from Windows, \
         `Csv::encoding(\"windows-1252\")` reads it."
    );
    assert!(
        error(&csv("a,b\n1,2\n3\n"))
            .contains("row 2 must have 2 fields, as the header has, got 1. Put quotes")
    );
    let wrong = csv("city,n\nUlm,1\nBonn,x\n").column("n", ColumnType::Number);
    assert!(error(&wrong).contains("row 2, column \"n\" must be a number or missing, got \"x\". In this form numbers have a decimal point"));
    let near = csv("city,size,n\nUlm,1,2\n").ignore(["sizes"]);
    assert!(
        error(&near).contains("must have a column \"sizes\", got size, city, n. A setting names it"),
        "{}",
        error(&near)
    );
    assert!(
        error(&csv("a\n1\n").ignore(["a"])).contains("the columns must be more than those that are ignored")
    );
    assert!(error(&csv("a\u{0}\n1\n")).contains("bytes that are 0"));
    assert!(error(&Csv::file("/no/such")).contains("/no/such"));
}

#[cfg(feature = "csv")]
#[test]
fn other_encodings_and_gzip_are_read() {
    let latin = Csv::bytes("f.csv", b"name;n\nK\xf6ln;1\nJena;2\n").encoding("windows-1252").read().unwrap();
    assert_eq!(words(&latin, "name")[0].as_deref(), Some("Köln"));
    assert_eq!(latin.form().unwrap().encoding, "windows-1252");
    let wide: Vec<u8> = "\u{feff}a,b\nö,1\nu,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(words(&Csv::bytes("f.csv", wide).read().unwrap(), "a")[0].as_deref(), Some("ö"));
    assert!(
        error(&csv("a\n1\n").encoding("klingon"))
            .contains("the encoding must be one of the Encoding Standard")
    );
    let odd = Csv::bytes("f.csv", b"a,b\nx,1\n\x81\xff,2\n").encoding("Shift_JIS");
    assert!(error(&odd).contains("some bytes are no text in Shift_JIS"));
    let packed = |file: &str| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, file.as_bytes()).unwrap();
        Csv::bytes("f.csv.gz", out.finish().unwrap())
    };
    let file = packed("a,b\n1,x\n2,y\n");
    assert_eq!(numbers(&file.read().unwrap(), "a"), [1.0, 2.0]);
    assert_eq!(file.pieces(1).unwrap().count(), 2);
    assert!(error(&packed(&"a,b\n".repeat(1_000)).most_unpacked(999)).contains("Raise `most_unpacked`"));
}

#[test]
fn pieces_are_the_whole_table_in_any_order_of_columns() -> Result<()> {
    let mut file = "n;d;c;t;b\n".to_owned();
    for i in 0..100 {
        writeln!(
            file,
            "{i},5;{}.1.2020;{};\"a; text {i} of words\";{}",
            i % 28 + 1,
            i % 7,
            ["no", "yes"][i % 2]
        )
        .unwrap();
    }
    let csv = csv(&file).column("c", ColumnType::Category);
    let whole = csv.read()?;
    let form = whole.form().unwrap().clone();
    assert_eq!(types(&whole), "ndctb");
    let columns: Vec<_> = form.columns().collect();
    // Columns in another order, and one more.
    let mut other = String::new();
    for line in file.lines() {
        let [n, d, c, rest] = line.splitn(4, ';').collect::<Vec<_>>()[..] else { panic!() };
        let (t, b) = rest.rsplit_once(';').unwrap();
        writeln!(other, "{b};more;{t};{d};{c};{n}").unwrap();
    }
    for (text, rows) in [(&file, 7), (&file, 100), (&other, 1), (&other, 33), (&other, 1_000)] {
        let bytes = std::io::Cursor::new(text.clone().into_bytes());
        let mut from = 0;
        for piece in form.pieces_from(bytes, "f.csv", &columns, rows)? {
            let piece = piece?;
            let part = whole.select(&(from..from + piece.rows()).collect::<Vec<_>>())?;
            for (one, other) in part.columns().zip(piece.columns()) {
                assert_eq!((one.name(), one.column_type()), (other.name(), other.column_type()));
                match one.as_numbers() {
                    Ok(numbers) => assert_eq!(numbers, other.as_numbers()?),
                    Err(_) => assert!(one.as_texts()?.eq(other.as_texts()?)),
                }
            }
            from += piece.rows();
        }
        assert_eq!(from, 100);
    }
    let of = |text: &str| form.pieces_from(std::io::Cursor::new(text.to_owned()), "g.csv", &columns[..2], 9);
    let fails = |text: &str| of(text).and_then(|mut pieces| pieces.next().unwrap()).unwrap_err().to_string();
    assert!(fails("n;x\n1;2\n").starts_with("g.csv: the file must have a column \"d\", got n, x."));
    let wrong = "g.csv: row 1, column \"n\" must be a number or missing, got \"1.5\".";
    assert!(fails("d;n\n;1.5\n").starts_with(wrong), "{}", fails("d;n\n;1.5\n"));
    assert!(
        fails("d;n\n2020;1,5\n").contains("column \"d\" must be a date as %d.%m.%Y or missing, got \"2020\"")
    );
    assert!(fails("n;d\n1;1.1.2020;3\n").contains("row 1 must have 2 fields"));
    assert!(form.pieces_from(std::io::empty(), "g.csv", &columns, 0).is_err());
    let image = [("n", &ColumnType::Image)];
    assert!(form.pieces_from(std::io::Cursor::new(file), "g.csv", &image, 1).is_err());
    Ok(())
}

#[test]
fn a_form_returns_from_bytes_and_is_checked() {
    let form = csv("a;b\n1,5;x\n2;y\n").read().unwrap().form().unwrap().clone();
    let bytes = crate::codec::encode(&form).unwrap();
    assert_eq!(crate::codec::decode::<crate::data::CsvForm>(&bytes, "a form").unwrap(), form);
    for at in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= change;
            let _ = crate::codec::decode::<crate::data::CsvForm>(&bytes, "a form");
        }
    }
    let mut twice = form.clone();
    twice.columns[1].name = "a".to_owned();
    assert!(
        crate::codec::decode::<crate::data::CsvForm>(&crate::codec::encode(&twice).unwrap(), "a form")
            .is_err()
    );
}

#[test]
fn any_bytes_are_an_error_or_a_table() {
    let file = b"id;price;day;word\n\"1\";2,5;1.2.2020;x\n2;?;3.4.2021;\"y;\nz\"\n3;1.234,5;30.1.2020;NA\n";
    let random = crate::random::Random::seed(5);
    for i in 0..3_000u64 {
        let mut stream = random.at(i, 0);
        let mut bytes = file.to_vec();
        for _ in 0..1 + stream.below(6) {
            let (at, other) = (stream.below(bytes.len()), stream.below(bytes.len()));
            match stream.below(5) {
                0 => bytes[at] = stream.bits() as u8,
                1 => bytes.swap(at, other),
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, b";,\t|\"\n#.\r0"[stream.below(10)]),
                _ => bytes.extend_from_within(at.min(other)..at.max(other)),
            }
        }
        for csv in [Csv::bytes("f", &bytes), Csv::bytes("f", &bytes).quotes(false).header(i % 2 == 0)] {
            if let Ok(table) = csv.read() {
                assert!(table.to_string().len() < 100_000);
                let rows: usize = csv.pieces(2).unwrap().map(|piece| piece.unwrap().rows()).sum();
                assert_eq!(rows, table.rows());
            }
        }
    }
}

#[test]
fn a_table_of_many_columns_prints_the_first() {
    let names: Vec<String> = (0..200).map(|i| format!("column {i}")).collect();
    let file = format!("{}\n{}", names.join(","), format!("{}\n", vec!["1.5"; 200].join(",")).repeat(3));
    let table = read(&file);
    let text = table.to_string();
    assert!(text.contains("… and 140 more columns (140 numbers); `{table:#}` prints all"), "{text}");
    assert!(text.contains(
        "! 200 columns (column 0, column 1, column 2, column 3, column 4, column 5 and 194 more):"
    ));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(format!("{table:#}").contains("column 199"));
    let own = Table::new([crate::data::Column::numbers("age", [38.0, f64::NAN, 26.5]).unwrap()]).unwrap();
    let expected = "3 rows\n  column  type        missing   distinct  values\n  age     number            1          2  \
                    26.5 to 38\n";
    assert_eq!(own.to_string(), expected);
}
