//! A recommender with two towers: one makes a vector of a user, the other of a film, and their product is the rating.
//!
//! ```sh
//! cargo run --example recommender
//! cargo run --example recommender -- --user 7 --film 12
//! ```
//!
//! The ratings are drawn, not collected: there are no such users and films. Films of a genre have similar properties,
//! users have tastes, and both have a level of their own. A rating is the sum of these, with noise, rounded to 1 to 5
//! stars. Each user has rated films at random; real users choose what they like. Because the ratings are drawn, the
//! best possible error is known, and so is whether a recommended film is one that the user likes. The model sees neither
//! tastes nor genres.

use plywood::ndarray::{Array1, Array2, Axis};
use plywood::prelude::*;

#[path = "support/args.rs"]
mod args;
#[path = "support/memory.rs"]
mod memory;

const HELP: &str = "\
Trains two towers on drawn ratings of films, compares them with means, and recommends films to a user.

usage: cargo run --example recommender -- [OPTIONS]

  --users N    users, each with 40 ratings                (1000)
  --epochs N   passes over the data, at most              (60)
  --user N     the user who gets recommendations          (0)
  --film N     the film whose neighbours are shown        (0)
  --seed N     seed of ratings, split, weights, shuffling (0)
  --threads N  number of threads                          (PLYWOOD_NUM_THREADS, else all cores)
  --json       prints the results as one line of JSON at the end
  --help       shows this help

A fifth of the ratings is for the test, and a tenth of the others for validation, which selects the best epoch.";

const FILMS: usize = 200;

/// The number of films that each user has rated.
const RATED: usize = 40;

const GENRES: [&str; 5] = ["comedy", "crime", "drama", "fantasy", "western"];

/// The drawn ratings, and what they were drawn from.
struct Ratings {
    users: Vec<usize>,
    films: Vec<usize>,
    stars: Vec<f32>,
    /// `[users, films]`: what a user thinks of a film, without the noise.
    truth: Array2<f64>,
}

fn main() -> Result<()> {
    let mut args = args::Args::new(HELP);
    let (users, epochs) = (args.number("--users", 1000), args.number("--epochs", 60));
    let (user, film) = (args.number("--user", 0_usize), args.number("--film", 0_usize));
    let (seed, threads) = (args.number("--seed", 0), args.number("--threads", plywood::threads()));
    let json = args.flag("--json");
    args.finish();
    plywood::set_threads(threads)?;
    if user >= users || film >= FILMS {
        return Err(Error::custom(format!("there are {users} users and {FILMS} films, numbered from 0")));
    }

    let ratings = draw(users, seed);
    let data = Arrays::builder()
        .ids("user", Array1::from(ratings.users.clone()))
        .ids("film", Array1::from(ratings.films.clone()))
        .targets(Array1::from(ratings.stars.clone()).insert_axis(Axis(1)))?; // [ratings, 1], as the output
    let (train, test) = random_split(&data, 0.2, seed)?;
    println!("{} training and {} test ratings, all drawn\n", train.len(), test.len());

    let mut model = towers(users, seed)?;
    println!("{model}\n");
    let mut trainer = Trainer::new(MeanSquaredError, AdamW::default().weight_decay(0.1))
        .learning_rate(0.005)
        .epochs(epochs)
        .batch_size(64)
        .seed(seed)
        .validation_split(0.1)
        .metric(RMSE::default())
        .callback(EarlyStopping::patience(3)); // keeps the best epoch
    let history = trainer.fit(&mut model, &train)?;
    let error = trainer.evaluate(&model, &test)?.get("root_mean_squared_error").unwrap_or(f64::NAN);

    let [mean, means, best] = ratings.baselines(train.indices(), test.indices());
    println!("\nerror on the test ratings (RMSE, in stars)");
    println!("  the mean of all ratings          {mean:.3}");
    println!("  means of the user and the film   {means:.3}");
    println!("  the two towers                   {error:.3}");
    println!("  what the ratings are drawn from  {best:.3}  (no model can be much better)");

    let gain = recommend(&model, &ratings, user)?;
    let same_genre = neighbours(&model, film)?;
    if json {
        let report = serde_json::json!({
            "data": "made up",
            "seed": seed,
            "threads": plywood::threads(),
            "epochs": history.epochs.len(),
            "train_seconds": history.seconds(),
            "test_rmse": error,
            "test_rmse_of_mean": mean,
            "test_rmse_of_means": means,
            "test_rmse_possible": best,
            "gain_of_recommended": gain,
            "neighbours_of_same_genre": same_genre,
            "peak_rss_mb": memory::peak_rss_mb(),
        });
        println!("{report}");
    }
    Ok(())
}

/// Builds the model: a table of tastes, a table of properties, and the level of each user and film.
fn towers(users: usize, seed: u64) -> Result<Graph> {
    let g = Graph::builder().seed(seed);
    let (user, film) = (g.input("user", []), g.input("film", []));
    let table = |rows, columns| {
        Embedding::vocabulary(rows, columns).initializer(Initializer::Normal { mean: 0.0, std_dev: 0.1 })
    };
    let taste = user.layer_named("taste", table(users, 6));
    let property = film.layer_named("property", table(FILMS, 6));
    let user_level = user.layer_named("user_level", table(users, 1));
    let film_level = film.layer_named("film_level", table(FILMS, 1));
    let mean = g.param("mean", [1], Initializer::Constant(3.0));
    g.output("stars", (taste * property).sum_keepdim(-1) + user_level + film_level + mean);
    g.build()
}

/// Prints the five best films that the user has not rated. Returns by how many stars the user likes them more than the
/// average of the films that are not rated.
fn recommend(model: &Graph, ratings: &Ratings, user: usize) -> Result<f64> {
    let (users, films) = (Array1::from_elem(FILMS, user), Array1::from_iter(0..FILMS));
    let predictions = model.predict_named(Inputs::of_ids("user", &users).and_ids("film", &films))?;
    let stars: Vec<f32> = predictions.get("stars")?.iter().copied().collect();
    let rated: Vec<usize> = ratings
        .users
        .iter()
        .zip(&ratings.films)
        .filter(|(u, _)| **u == user)
        .map(|(_, film)| *film)
        .collect();
    let mut rest: Vec<usize> = (0..FILMS).filter(|film| !rated.contains(film)).collect();
    rest.sort_by(|a, b| stars[*b].total_cmp(&stars[*a]));

    let truth = |films: &[usize]| {
        films.iter().map(|film| ratings.truth[[user, *film]]).sum::<f64>() / films.len() as f64
    };
    let title = format!("for user {user}, of {} films not rated", rest.len());
    println!("\n{title:<36} {:>9} {:>21}", "predicted", "drawn, without noise");
    for &film in &rest[..5] {
        println!("  {:<34} {:9.2} {:21.2}", name(film), stars[film], ratings.truth[[user, film]]);
    }
    println!("  {:<34} {:9} {:21.2}", "mean of all that are not rated", "", truth(&rest));
    Ok(truth(&rest[..5]) - truth(&rest))
}

/// Prints the five films whose vectors have the largest cosine with that of a film. Returns how many of the five nearest
/// films have the film's genre, as a share over all films.
fn neighbours(model: &Graph, film: usize) -> Result<f64> {
    let tower = model.with_outputs(&[("vector", "property")])?; // the film's part alone, with one input
    let mut vectors = tower.predict_named(Inputs::of_ids("film", &Array1::from_iter(0..FILMS)))?;
    let vectors: Array2<f32> = vectors.take("vector")?.into_dimensionality().map_err(Error::custom)?;
    let lengths = vectors.mapv(|x| x * x).sum_axis(Axis(1)).mapv(f32::sqrt).insert_axis(Axis(1));
    let units = vectors / lengths;
    let cosines = units.dot(&units.t());
    let nearest = |film: usize| {
        let mut others: Vec<usize> = (0..FILMS).filter(|other| *other != film).collect();
        others.sort_by(|a, b| cosines[[film, *b]].total_cmp(&cosines[[film, *a]]));
        others.truncate(5);
        others
    };
    println!("\n{:<36} {:>9}", format!("nearest to {}", name(film)), "cosine");
    for other in nearest(film) {
        println!("  {:<34} {:9.2}", name(other), cosines[[film, other]]);
    }
    let same = |film: usize| nearest(film).iter().filter(|other| genre(**other) == genre(film)).count();
    let share = (0..FILMS).map(same).sum::<usize>() as f64 / (5 * FILMS) as f64;
    println!("{:.0} % of the five nearest films have the same genre; by chance it is 20 %", 100.0 * share);
    Ok(share)
}

/// Returns the genre of a film, which no model sees.
fn genre(film: usize) -> usize {
    film % GENRES.len()
}

fn name(film: usize) -> String {
    format!("film {film} ({})", GENRES[genre(film)])
}

impl Ratings {
    /// Returns the RMSE over the test ratings of three predictions: the mean of the training ratings, that with the
    /// deviations of the user and of the film from it, and what the ratings were drawn from, without noise.
    fn baselines(&self, train: &[usize], test: &[usize]) -> [f64; 3] {
        let stars = |i: usize| f64::from(self.stars[i]);
        let mean = train.iter().map(|&i| stars(i)).sum::<f64>() / train.len() as f64;
        let deviations = |ids: &[usize], count: usize| {
            let mut sums = vec![(0.0, 0.0); count];
            for &i in train {
                sums[ids[i]].0 += stars(i) - mean;
                sums[ids[i]].1 += 1.0;
            }
            sums.into_iter().map(|(sum, n): (f64, f64)| sum / n.max(1.0)).collect::<Vec<_>>()
        };
        let of_user = deviations(&self.users, self.truth.nrows());
        let of_film = deviations(&self.films, FILMS);
        let rmse = |predict: &dyn Fn(usize) -> f64| {
            (test.iter().map(|&i| (predict(i) - stars(i)).powi(2)).sum::<f64>() / test.len() as f64).sqrt()
        };
        [
            rmse(&|_| mean),
            rmse(&|i| mean + of_user[self.users[i]] + of_film[self.films[i]]),
            rmse(&|i| self.truth[[self.users[i], self.films[i]]].clamp(1.0, 5.0)),
        ]
    }
}

/// Draws tastes, properties and ratings from a seed.
fn draw(users: usize, seed: u64) -> Ratings {
    let place = Random::seed(seed).child("ratings");
    let normal = |what: &str, rows: usize, columns: usize| {
        let mut draws = place.child(what).at(0, 0);
        Array2::from_shape_simple_fn((rows, columns), || draws.normal())
    };
    let (tastes, genres) = (normal("tastes", users, 4), normal("genres", GENRES.len(), 4));
    let mut properties = 0.5 * normal("films", FILMS, 4);
    for (film, mut row) in properties.outer_iter_mut().enumerate() {
        row += &genres.row(genre(film));
    }
    let levels = 0.4 * normal("user levels", users, 1) + 0.4 * normal("film levels", 1, FILMS);
    let truth = 3.2 + levels + 0.4 * tastes.dot(&properties.t());
    let mut ratings = Ratings { users: Vec::new(), films: Vec::new(), stars: Vec::new(), truth };
    for user in 0..users {
        let mut draws = place.child("choices").at(0, user as u64);
        let mut films: Vec<usize> = (0..FILMS).collect();
        draws.shuffle(&mut films);
        for &film in &films[..RATED] {
            let stars = (ratings.truth[[user, film]] + 0.5 * draws.normal()).round().clamp(1.0, 5.0);
            ratings.users.push(user);
            ratings.films.push(film);
            ratings.stars.push(stars as f32);
        }
    }
    ratings
}
