//! Recipes: from raw tables to predictors.

use crate::predictors::answers_in_another_process;
use crate::take_threads;
use plywood::data::{Column, HoldOut, Table};
use plywood::predictor::Row;
use plywood::prelude::*;
use plywood::preprocessing::{Fill, InputBlock, Notes};
use plywood::train::{Checkpoints, Search, Space};
use serde_json::json;

/// Drawn rows with gaps: a number, a category, a boolean, a text, and what depends on them.
fn table(rows: usize, seed: u64) -> Table {
    let mut draws = Random::seed(seed).at(0, 0);
    let (mut age, mut port, mut alone, mut note) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut class, mut price, mut group) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let x = (draws.unit() * 80.0).round();
        let word = ["S", "C", "Q"][draws.below(3)];
        let fine = draws.unit() < 0.5;
        age.push(if draws.unit() < 0.2 { f64::NAN } else { x });
        port.push((draws.unit() > 0.1).then_some(word));
        alone.push(Some(fine));
        note.push(Some(["a good deal", "a bad deal", "no deal at all"][draws.below(3)]));
        class.push(Some(if x > 40.0 { "old" } else { "young" }));
        price.push(if draws.unit() < 0.05 { f64::NAN } else { 100.0 * x + if fine { 500.0 } else { 0.0 } });
        group.push(Some(format!("house {}", draws.below(rows / 4 + 1))));
    }
    Table::new([
        Column::numbers("age", age).unwrap(),
        Column::categories("port", port),
        Column::booleans("alone", alone),
        Column::texts("note", note),
        Column::categories("class", class),
        Column::numbers("price", price).unwrap(),
        Column::categories("house", group),
    ])
    .unwrap()
}

fn trainer(epochs: usize) -> Trainer<CrossEntropy> {
    Trainer::new(CrossEntropy::default(), Adam::default())
        .epochs(epochs)
        .batch_size(16)
        .learning_rate(0.02)
        .metric(Accuracy::default())
        .progress(Progress::Silent)
}

fn classifier() -> Recipe {
    Recipe::new()
        .input(Columns::of(["age", "port", "alone"]))
        .output(Classes::column("class"))
        .model(|plan| {
            Sequential::builder(plan.shape())
                .layer(Dense::units(8))
                .layer(ReLU)
                .layer(Dense::units(plan.units()))
                .layer(Softmax)
        })
        .trainer(|_| trainer(8))
        .seed(3)
}

#[test]
fn a_row_is_answered_in_another_process_as_in_training() {
    let table = table(200, 1);
    let fitted = classifier().validation_split(0.25).fit(&table).unwrap();
    assert_eq!((fitted.training_rows, fitted.validation_rows), (150, 50));
    let evaluation = fitted.evaluation.as_ref().unwrap();
    assert!(evaluation.get("accuracy").unwrap() > 0.7, "{fitted}");
    assert_eq!(evaluation.get("accuracy"), fitted.history.last("val_accuracy"));
    let rows = [
        json!({"age": 80, "port": "S", "alone": true}),
        json!({"age": null, "port": null, "alone": null}),
        json!({"age": 3.5, "port": "X", "alone": false, "more": "ignored"}),
    ];
    answers_in_another_process("recipe-row", &fitted.predictor, &rows, &[]);
    let notes = |row: &serde_json::Value| {
        let answer = fitted.predictor.predict(row).unwrap();
        answer.notes().iter().map(|note| note.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(notes(&rows[1]), ["age was missing", "port was missing", "alone was missing"]);
    assert_eq!(notes(&rows[2]), ["port \"X\" is unknown"]);
    assert_eq!(
        notes(&json!({"age": 500, "port": "S", "alone": true})),
        ["age 500 is beyond the range of training"]
    );
    // Rows of a table are answered as rows of values.
    let answers = fitted.predictor.predict_table(&table).unwrap();
    let port = table.column("port").unwrap().as_texts().unwrap();
    for (row, port) in port.enumerate().take(20) {
        let age = table.column("age").unwrap().as_numbers().unwrap()[row];
        let alone = table.column("alone").unwrap().as_numbers().unwrap()[row] == 1.0;
        let values = Row::new().with("age", age).with("port", port).with("alone", alone);
        assert_eq!(fitted.predictor.predict(values).unwrap().to_string(), answers[row].to_string(), "{row}");
    }
}

#[test]
fn nothing_that_is_fitted_has_seen_what_is_held_out() {
    // The number 1000 and the category "rare" are in one row.
    let mut ages: Vec<f64> = (0..40).map(f64::from).collect();
    ages[17] = 1000.0;
    ages.extend([f64::NAN; 4]);
    let ports = (0..44).map(|row| Some(if row == 17 { "rare" } else { ["S", "C"][row % 2] }));
    let classes = (0..44).map(|row| Some(["a", "b"][row % 2]));
    let table = Table::new([
        Column::numbers("age", ages.clone()).unwrap(),
        Column::categories("port", ports),
        Column::categories("class", classes),
    ])
    .unwrap();
    let recipe = Recipe::new()
        .input(Columns::of(["age", "port"]).fill(Fill::Mean))
        .output(Classes::column("class"))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Softmax))
        .trainer(|_| trainer(1));
    let unknown = |predictor: &Predictor| {
        let answer = predictor.predict(json!({"age": 1000, "port": "rare"})).unwrap();
        answer.notes().iter().map(|note| note.to_string()).collect::<Vec<_>>()
    };
    // Without a validation part all is known.
    let whole = recipe.fit(&table).unwrap();
    assert!(unknown(&whole.predictor).is_empty());
    let mean = |rows: &[usize]| {
        let there: Vec<f64> = rows.iter().map(|&row| ages[row]).filter(|x| !x.is_nan()).collect();
        there.iter().sum::<f64>() / there.len() as f64
    };
    let (mut held_out, mut seen) = (0, 0);
    for seed in 0..12 {
        let fitted = recipe.clone().validation_split(0.25).seed(seed).fit(&table).unwrap();
        let notes = unknown(&fitted.predictor);
        match notes.len() {
            2 => held_out += 1,
            0 => seen += 1,
            _ => panic!("{notes:?}"),
        }
    }
    assert!(held_out > 0 && seen > 0, "{held_out} {seen}");

    // Each fold fits an encoder of its own: the widths of the models, and the filled numbers, say so.
    let widths = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = widths.clone();
    let watched = recipe.clone().model(move |plan| {
        kept.lock().unwrap().push((plan.shape()[0], plan.rows()));
        Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Softmax)
    });
    watched.cross_validate(&table, &KFold::new(4)).unwrap();
    // Age, its indicator, C, S and, unless it is held out (in fold 1, rows 11 to 21), the rare one.
    assert_eq!(*widths.lock().unwrap(), [(5, 33), (4, 33), (5, 33), (4, 33)]);
    widths.lock().unwrap().clear();
    let search = Search::grid(Space::new().choice("x", [1, 2])).monitor("val_balanced_accuracy").jobs(1);
    search.run_recipes(&table, &KFold::new(4), |_| Ok(watched.clone())).unwrap();
    assert_eq!(widths.lock().unwrap().iter().filter(|(width, _)| *width == 4).count(), 4);

    let part = table.part((0..11).chain(22..44).collect()).unwrap();
    let encoder = Columns::of(["age"])
        .fill(Fill::Mean)
        .scaling(plywood::preprocessing::Scaling::None)
        .fit(&part)
        .unwrap();
    let gap = Table::new([Column::numbers("age", [f64::NAN]).unwrap()]).unwrap();
    let filled = encoder.encode_table(&gap, &mut Notes::new()).unwrap()[[0, 0]];
    let rows: Vec<usize> = (0..11).chain(22..44).collect();
    assert_eq!(filled, mean(&rows) as f32);
    assert!((f64::from(filled) - mean(&(0..44).collect::<Vec<_>>())).abs() > 1.0);
}

#[test]
fn numbers_are_answered_and_measured_in_their_units() {
    let table = table(300, 2);
    let recipe = |numbers: Numbers| {
        Recipe::new()
            .input(Columns::of(["age", "alone"]))
            .output(numbers)
            .model(|plan| {
                Sequential::builder(plan.shape())
                    .layer(Dense::units(16))
                    .layer(ReLU)
                    .layer(Dense::units(plan.units()))
            })
            .trainer(|_| {
                let trainer = Trainer::new(MeanSquaredError, Adam::default()).epochs(60).batch_size(16);
                trainer.learning_rate(0.01).metric(MAE::default()).progress(Progress::Silent)
            })
            .validation_split(0.2)
    };
    for numbers in [Numbers::column("price").unit("€"), Numbers::column("price").unit("€").log()] {
        let fitted = recipe(numbers).fit(&table).unwrap();
        // 5 % of the prices are missing.
        assert!(
            fitted.remarks[0].contains("rows without a target left out, the first is row"),
            "{:?}",
            fitted.remarks
        );
        assert!(fitted.training_rows + fitted.validation_rows < 300);
        let evaluation = fitted.evaluation.as_ref().unwrap();
        let (mae, r2) = (evaluation.get("mean_absolute_error").unwrap(), evaluation.get("r2").unwrap());
        assert!(mae > 100.0 && mae < 1500.0 && r2 > 0.5, "{fitted}"); // in euros, not in deviations
        assert!(fitted.history.last("val_mean_absolute_error").unwrap() < 3.0);
        let answer = fitted.predictor.predict(json!({"age": 70, "alone": false})).unwrap();
        assert!((answer.number().unwrap() - 7000.0).abs() < 1500.0, "{answer}");
        assert!(answer.to_string().ends_with(" €"), "{answer}");
    }
}

#[test]
fn several_inputs_and_outputs_are_one_recipe() {
    let table = table(240, 3);
    let recipe = Recipe::new()
        .input_named("row", Columns::of(["age", "alone"]))
        .input_named("port", CategoryIds::column("port").min_count(1))
        .input_named("note", Text::column("note").min_count(1).length(4))
        .output_named("class", Classes::column("class"))
        .output_named("price", Numbers::column("price"))
        .model(|plan| {
            let g = Graph::builder();
            let row = g.input("row", plan.shape_of("row"));
            let port =
                g.input("port", plan.shape_of("port")).layer(Embedding::vocabulary(plan.ids_of("port"), 4));
            let note = g.input("note", plan.shape_of("note"));
            let note =
                note.layer(EmbeddingBag::vocabulary(plan.ids_of("note"), 4).padding(Vocabulary::PADDING));
            let all = row.concat(&[port, note], -1).layer(Dense::units(16)).layer(ReLU);
            g.output("class", all.layer(Dense::units(plan.units_of("class"))).layer(Softmax));
            g.output("price", all.layer(Dense::units(1)));
            g
        })
        .trainer(|_| {
            let losses = Losses::of("class", CrossEntropy::default()).and("price", MeanSquaredError, 0.5);
            Trainer::new(losses, Adam::default())
                .epochs(20)
                .batch_size(16)
                .learning_rate(0.01)
                .progress(Progress::Silent)
        });
    let fitted = recipe.clone().validation_split(0.25).fit(&table).unwrap();
    // Every row has a class, so none is left out; a missing price has no weight.
    assert!(fitted.remarks.is_empty() && fitted.training_rows == 180, "{fitted}");
    let evaluation = fitted.evaluation.as_ref().unwrap();
    assert!(
        evaluation.get("class_accuracy").unwrap() > 0.7
            && evaluation.get("price_mean_absolute_error").unwrap() > 50.0,
        "{fitted}"
    );
    let rows = [
        json!({"age": 70, "port": "S", "alone": true, "note": "a good deal"}),
        json!({"age": 7, "port": null, "alone": true, "note": "zzz"}),
    ];
    answers_in_another_process("recipe-several", &fitted.predictor, &rows, &[]);
    let answer = fitted.predictor.predict(&rows[1]).unwrap();
    assert!(answer.get("price").unwrap().number().is_some() && answer.class() == Some("young"), "{answer}");
    let notes: Vec<String> = answer.notes().iter().map(|note| note.to_string()).collect();
    assert_eq!(notes, ["port was missing", "note has no known word"]);
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["outputs"]["class"]["class"], "young");
    let scores = recipe.cross_validate(&table, &StratifiedKFold::new(3).seed(1)).unwrap();
    assert!(scores.mean("class_balanced_accuracy").unwrap() > 0.7, "{scores}");
}

#[test]
fn labels_are_several_at_once() {
    let table = table(200, 5);
    let recipe = Recipe::new()
        .input(Columns::of(["age", "alone"]))
        .output(Labels::columns(["alone"]).threshold(0.5))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Sigmoid))
        .trainer(|_| {
            Trainer::new(SoftBinaryCrossEntropy::default(), Adam::default())
                .epochs(2)
                .progress(Progress::Silent)
        });
    let error = recipe.fit(&table).unwrap_err().to_string();
    assert!(error.contains("the columns must be different ones, and no target"), "{error}");
    let recipe = recipe_of(recipe);
    let fitted = recipe.validation_split(0.2).fit(&table).unwrap();
    assert!(fitted.evaluation.unwrap().get("hamming_loss").is_some());
}

fn recipe_of(_: Recipe) -> Recipe {
    Recipe::new()
        .input(Columns::of(["age"]))
        .output(Labels::columns(["alone"]))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Sigmoid))
        .trainer(|_| {
            Trainer::new(SoftBinaryCrossEntropy::default(), Adam::default())
                .epochs(2)
                .progress(Progress::Silent)
        })
}

#[test]
fn groups_stay_together_and_weights_are_used() {
    let table = table(120, 7);
    let recipe = classifier().groups("house");
    let fitted = recipe.clone().validation_split(0.3).fit(&table).unwrap();
    assert_eq!(fitted.training_rows + fitted.validation_rows, 120);
    recipe.cross_validate(&table, &KFold::new(4).seed(2)).unwrap();
    let weights = (0..120).map(|row| f64::from(u8::from(row % 2 == 0)));
    let weighted = table.clone().with(Column::numbers("w", weights).unwrap()).unwrap();
    let plain = classifier().fit(&table).unwrap().predictor.to_bytes().unwrap();
    assert_ne!(classifier().weights("w").fit(&weighted).unwrap().predictor.to_bytes().unwrap(), plain);
    let bad = table.clone().with(Column::numbers("w", vec![-1.0; 120]).unwrap()).unwrap();
    let error = classifier().weights("w").fit(&bad).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "recipe: row 1, column \"w\" must be a weight, at least 0 and finite in f32, got -1."
        ),
        "{error}"
    );
}

#[test]
fn one_seed_is_one_result_for_any_threads_and_after_resuming() {
    let table = table(160, 9);
    let recipe = classifier().validation_split(0.25);
    let bytes = |threads: usize| {
        let _guard = take_threads(threads);
        let fitted = recipe.fit(&table).unwrap();
        (fitted.predictor.to_bytes().unwrap(), fitted.history.get("val_accuracy"))
    };
    let one = bytes(1);
    assert_eq!(bytes(2), one);
    assert_eq!(bytes(3), one);
    let folder = crate::folder::Folder::new("recipe-resume");
    let path = folder.0.clone();
    let with_checkpoints = |epochs: usize| {
        let path = path.clone();
        recipe.clone().trainer(move |_| trainer(epochs).checkpoints(Checkpoints::in_folder(path.clone())))
    };
    with_checkpoints(3).fit_resuming(&table, &folder.0).unwrap();
    let resumed = with_checkpoints(8).fit_resuming(&table, &folder.0).unwrap();
    assert_eq!(resumed.predictor.to_bytes().unwrap(), one.0);
    let other = with_checkpoints(9).fit_resuming(&self::table(160, 10), &folder.0).unwrap_err().to_string();
    assert!(
        other.contains(
            "the table and the recipe must give the fitted preprocessing of the checkpoint, got another."
        ),
        "{other}"
    );
}

#[test]
fn what_is_wrong_is_said_before_training() {
    let table = table(60, 11);
    let text = |recipe: Recipe| recipe.fit(&table).unwrap_err().to_string();
    for (recipe, expected) in [
        (Recipe::new(), "recipe: the recipe must be one with an input, got none."),
        (
            Recipe::new().input(Columns::of(["age"])),
            "recipe: the recipe must be one with an output, got none.",
        ),
        (
            classifier().output(Classes::column("port")),
            "the outputs of a recipe must be named, as there are several, got 2.",
        ),
        (
            Recipe::new().input(Columns::of(["age"])).output(Classes::column("class")),
            "the recipe must be one with a model, got none.",
        ),
        (
            Recipe::new().input(Columns::of(["age"])).output(Classes::column("none")),
            "must have a column \"none\", got age, port, alone,",
        ),
        (
            Recipe::new().input(Columns::of(["age"])).output(Classes::column("note")),
            "column \"note\" must hold classes, got a text.",
        ),
        (
            Recipe::new().input(Columns::of(["age"])).output(Numbers::column("port")),
            "column \"port\" must hold numbers, got a category.",
        ),
        (
            Recipe::new().input(Columns::of(["age"])).output(Classes::named(["a", "b"])),
            "the output of a recipe must be of a column, got one with names.",
        ),
        (
            classifier().trainer(|_| trainer(1).validation_split(0.2)),
            "the trainer's `validation_split` must be left out in a recipe, got 0.2.",
        ),
        (
            classifier().model(|plan| {
                Sequential::builder(plan.shape_of("row")).layer(Dense::units(2)).layer(Softmax)
            }),
            "the input \"row\" must be one of the recipe's, got input.",
        ),
        (
            classifier()
                .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(5)).layer(Softmax)),
            "must have shape [2], one number for each class, got [5].",
        ),
        (
            classifier().model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(2)).layer(ReLU)),
            "must be that of softmax or a linear layer, got NonNegative.",
        ),
        (
            classifier().model(|_| Sequential::builder([2]).layer(Dense::units(2)).layer(Softmax)),
            "what the block makes must have shape [2], as the model's input, got [7].",
        ),
        (
            classifier().trainer(|_| Trainer::new(MeanSquaredError, Adam::default())),
            "the loss must take the classes of the output, got one for numbers.",
        ),
        (classifier().validation_split(1.5), "validation_split"),
        (
            classifier().model(|plan| -> Result<plywood::nn::SequentialBuilder> {
                plan.ids();
                Err(Error::custom("own"))
            }),
            "the input \"input\" must hold ids, got numbers.",
        ),
    ] {
        let error = text(recipe);
        assert!(error.contains(expected), "{error}\n{expected}");
    }
    let one = Table::new([
        Column::numbers("x", [1.0, 2.0]).unwrap(),
        Column::categories("y", [Some("a"), Some("a")]),
    ])
    .unwrap();
    let recipe = Recipe::new().input(Columns::of(["x"])).output(Classes::column("y"));
    let error = recipe.fit(&one).unwrap_err().to_string();
    assert!(error.contains("column \"y\" must have at least 2 classes, got only \"a\"."), "{error}");
    let numbers = Recipe::new().input(Columns::of(["age"])).output(Numbers::column("price"));
    let error = numbers.cross_validate(&table, &StratifiedKFold::new(3)).unwrap_err().to_string();
    assert!(
        error.contains("the recipe's first output must have classes to be divided by, got numbers."),
        "{error}"
    );
    let _ = HoldOut::share(0.2);
}

#[test]
fn a_column_that_alone_tells_the_target_is_remarked() {
    let rows = 200;
    let class = |row: usize| ["young", "old", "older"][row % 3];
    let columns = |tells: bool| {
        Table::new([
            Column::numbers("age", (0..rows).map(|row| f64::from((row * 7 % 31) as u8))).unwrap(),
            Column::categories(
                "boat",
                (0..rows).map(|row| (tells && row % 3 != 1).then(|| format!("{}", row % 3))),
            ),
            Column::categories("class", (0..rows).map(|row| Some(class(row)))),
            Column::numbers("price", (0..rows).map(|row| (row % 9) as f64)).unwrap(),
            Column::numbers("tax", (0..rows).map(|row| 2.0 * (row % 9) as f64 + 1.0)).unwrap(),
        ])
        .unwrap()
    };
    let model = |recipe: Recipe| {
        recipe
            .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Softmax))
            .trainer(|_| trainer(1))
    };
    let recipe = model(Recipe::new().input(Columns::of(["age", "boat"])).output(Classes::column("class")));
    let remarks = recipe.fit(&columns(true)).unwrap().remarks;
    assert_eq!(
        remarks,
        ["column \"boat\" alone tells 1.000 of the classes: leave it out if it is known only afterwards"]
    );
    let recipe = model(Recipe::new().input(Columns::of(["age"])).output(Classes::column("class")));
    assert!(recipe.fit(&columns(false)).unwrap().remarks.is_empty());
    let recipe = Recipe::new()
        .input(Columns::of(["age", "tax"]))
        .output(Numbers::column("price"))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(1)))
        .trainer(|_| Trainer::new(MeanSquaredError, Adam::default()).progress(Progress::Silent));
    let remarks = recipe.fit(&columns(true)).unwrap().remarks;
    assert_eq!(
        remarks,
        [
            "column \"tax\" alone tells 1.000 of the variance of the numbers: leave it out if it is known only afterwards"
        ]
    );
}

#[test]
fn a_search_over_recipes_ranks_by_the_direction_of_the_score() {
    let table = table(120, 21);
    let search = |monitor: &str| Search::grid(Space::new().choice("rate", [1e-6, 0.05])).monitor(monitor);
    let recipe = |rate: f64| {
        let metric_free = move |_: &plywood::recipe::Plan| {
            Trainer::new(CrossEntropy::default(), Adam::default())
                .epochs(15)
                .batch_size(8)
                .learning_rate(rate)
        };
        classifier().trainer(metric_free)
    };
    for monitor in ["val_accuracy", "val_balanced_accuracy", "val_log_loss", "val_loss"] {
        let results = search(monitor)
            .run_recipes(&table, &HoldOut::share(0.3).seed(1), |trial| Ok(recipe(trial.number("rate")?)));
        assert_eq!(results.unwrap().best().number("rate").unwrap(), 0.05, "{monitor}");
    }
    let unmeasured =
        search("val_accuracy")
            .stop_hopeless(1)
            .run_recipes(&table, &HoldOut::share(0.3).seed(1), |trial| Ok(recipe(trial.number("rate")?)));
    assert!(unmeasured.unwrap_err().to_string().contains("the value to monitor must be one of the epoch's"));
}

#[test]
fn targets_are_no_inputs_and_the_names_of_the_model_count() {
    let table = table(80, 22);
    let model = |name: &'static str| {
        classifier().model(move |plan| {
            let g = Graph::builder();
            g.output(name, g.input("row", plan.shape()).layer(Dense::units(plan.units())).layer(Softmax));
            g
        })
    };
    // The only input and output have the names of the model.
    let fitted = model("kind").validation_split(0.25).fit(&table).unwrap();
    assert_eq!(
        fitted
            .predictor
            .predict(json!({"age": 3, "port": "S", "alone": true}))
            .unwrap()
            .values()
            .next()
            .unwrap()
            .0,
        "kind"
    );
    model("kind").cross_validate(&table, &KFold::new(3)).unwrap();
    for (input, found) in [
        (Recipe::new().input(CategoryIds::column("class")), "got \"class\" in the input \"input\"."),
        (Recipe::new().input(Text::column("class")), "got \"class\" in the input \"input\"."),
    ] {
        let recipe = input
            .output(Classes::column("class"))
            .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(2)).layer(Softmax))
            .trainer(|_| trainer(1));
        let error = recipe.fit(&table).unwrap_err().to_string();
        assert!(
            error.contains("the columns of the inputs must be no targets, weights or groups")
                && error.contains(found),
            "{error}"
        );
    }
    let wrong = Recipe::new()
        .input(Columns::of(["age"]))
        .output_named("kind", Classes::column("class"))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(2)).layer(Softmax))
        .trainer(|_| trainer(1));
    let error = wrong.fit(&table).unwrap_err().to_string();
    assert!(error.contains("must be one of the model's outputs: output, got \"kind\""), "{error}");
    let one = table.clone().with(Column::booleans("alone", vec![Some(true); 80])).unwrap();
    let error = Recipe::new()
        .input(Columns::of(["age"]))
        .output(Classes::column("alone"))
        .fit(&one)
        .unwrap_err()
        .to_string();
    assert!(error.contains("must have at least 2 classes, got only \"true\""), "{error}");
    let error = classifier().input_named("b", Columns::of(["age"])).fit(&table).unwrap_err().to_string();
    assert!(error.contains("the inputs of a recipe must be named"), "{error}");
}

#[test]
fn a_row_means_the_same_in_a_file_a_table_and_as_values() {
    let file = "c,b,x,y\n S ,Yes,1,a\nC,no,2,b\nNA,YES,?,a\nS,No,4,b\n7,yes,5,a\n";
    let table = plywood::data::Csv::bytes("f.csv", file).read().unwrap();
    let fitted = Recipe::new()
        .input(Columns::of(["c", "b", "x"]))
        .output(Classes::column("y"))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(2)).layer(Softmax))
        .trainer(|_| trainer(2).batch_size(2))
        .fit(&table)
        .unwrap();
    let of_table: Vec<String> =
        fitted.predictor.predict_table(&table).unwrap().iter().map(|answer| answer.to_string()).collect();
    let rows = [
        json!({"c": " S ", "b": "Yes", "x": 1}),
        json!({"c": "C", "b": false, "x": 2, "id": 9_007_199_254_740_993i64, "more": {"a": [null]}}),
        json!({"c": "NA", "b": "YES", "x": "?"}),
        json!({"c": "S", "b": " no", "x": 4}),
        json!({"c": 7, "b": true, "x": 5}),
    ];
    for (row, expected) in rows.iter().zip(&of_table) {
        assert_eq!(&fitted.predictor.predict(row).unwrap().to_string(), expected, "{row}");
    }
    let columns = [
        Column::categories("c", [Some(" S "), Some("C"), None, Some("S"), Some("7")]),
        Column::booleans("b", [true, false, true, false, true].map(Some)).renamed("b"),
        Column::numbers("x", [1.0, 2.0, f64::NAN, 4.0, 5.0]).unwrap(),
    ];
    let made = fitted.predictor.predict_table(&Table::new(columns).unwrap()).unwrap();
    assert_eq!(made.iter().map(|answer| answer.to_string()).collect::<Vec<_>>(), of_table);
}

#[test]
fn a_later_file_is_read_as_the_training_file_with_columns_of_ones_choice() {
    let folder = crate::folder::Folder::new("recipe-csv");
    let lines = |from: usize| -> String {
        let line = |row: usize| {
            format!(
                "{row};{},5;{};{}\n",
                row % 40,
                ["ja", "nein"][row % 2],
                ["hoch", "tief"][usize::from(row % 40 < 20)]
            )
        };
        (from..from + 80).map(line).collect()
    };
    let train = folder.write("train.csv", format!("id;x;fein;art\n{}", lines(0)).as_bytes());
    let table = plywood::data::Csv::file(&train).ignore(["id"]).read().unwrap();
    assert!(
        matches!(table.column("fein").unwrap().column_type(), plywood::data::ColumnType::Boolean { yes, .. } if yes == "ja")
    );
    let error = table.column("id").unwrap_err().to_string();
    assert!(error.ends_with("It was left out by `Csv::ignore`."), "{error}");
    let fitted = Recipe::new()
        .input(Columns::of(["x", "fein"]))
        .output(Classes::column("art"))
        .model(|plan| Sequential::builder(plan.shape()).layer(Dense::units(plan.units())).layer(Softmax))
        .trainer(|_| trainer(30))
        .fit(&table)
        .unwrap();
    let test = folder.write("test.csv", format!("id;x;fein;art\n{};{};;\n", lines(80), "80").as_bytes());
    let table = fitted.predictor.read_csv(&test, &["art"]).unwrap();
    let scores = fitted.predictor.evaluate(&table, Classes::column("art")).unwrap();
    assert!(scores.rows() == 80 && scores.get("accuracy") > Some(0.9), "{scores}");
    assert!(scores.to_string().starts_with("measured on 80 rows, 1 without a target left out\n"), "{scores}");
    let mut ids = Vec::new();
    let count = fitted.predictor.predict_csv_keeping(&test, &["id", "x"], |rows, answers| {
        let numbers = rows.column("x")?.as_numbers()?;
        ids.extend(
            rows.column("id")?
                .as_texts()?
                .zip(numbers)
                .zip(answers)
                .map(|((id, x), answer)| format!("{id:?} {x} {}", answer.class().unwrap())),
        );
        Ok(())
    });
    assert_eq!((count.unwrap(), ids[0].as_str()), (81, "Some(\"80\") 0.5 tief"));
    let bad = folder.write("bad.csv", b"x;fein\n1.5;ja\n");
    let error = fitted.predictor.predict_csv(&bad, |_, _| Ok(())).unwrap_err().to_string();
    assert!(error.contains("got \"1.5\". In this form numbers have a decimal comma"), "{error}");
    let error = fitted.predictor.predict(json!({"x": 1, "fein": 1})).unwrap_err().to_string();
    assert!(error.contains("must be \"nein\" or \"ja\", got the number 1."), "{error}");
}
