//! The friendly routes.

use crate::client::{get, post};
use crate::{Served, as_json, models};
use plywood::predictor::Row;
use plywood_serve::Server;
use serde_json::json;

#[test]
fn a_row_is_answered_as_by_the_predictor() {
    let table = models::table().unwrap();
    let server = Served::start(Server::new().model("table", table.clone()));
    let row = json!({"age": 30.5, "member": true, "port": "Q", "since": null});
    let answer = post(
        server.address,
        "/v1/predict/table",
        &[("content-type", "application/json")],
        json!({"rows": [row, row]}).to_string(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected = as_json(&table.predict(Row::from(&row)).unwrap());
    assert_eq!(answer.json()["answers"], json!([expected, expected]));
    assert_eq!(get(server.address, "/v2/health/ready").status, 200);
    assert!(server.shutdown());
}
