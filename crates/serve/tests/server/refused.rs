//! How refusals are answered.

use crate::client::{Talk, post};
use crate::{Served, all_models, models};
use serde_json::json;

#[test]
fn a_path_that_is_not_utf_8_is_refused_in_json() {
    let served = Served::start(all_models());
    for path in ["/v1/predict/%FF", "/v2/models/%ff/infer", "/v2/models/a/versions/%C3%28/infer"] {
        let answer = post(served.address, path, &[], "{}");
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{path}");
        assert!(answer.error().contains("the path must be UTF-8"), "{}", answer.error());
    }
}

#[test]
fn values_beyond_the_models_arithmetic_are_no_fault_of_the_server() {
    let served = Served::start(all_models());
    let mut talk = Talk::with(served.address);
    let predictor = models::numbers().unwrap();
    let mut refused = 0;
    for signs in 0..16 {
        let row: [f32; 4] = [0, 1, 2, 3].map(|i| if signs >> i & 1 == 1 { 3.4e38 } else { -3.4e38 });
        let expected = predictor.predict(row);
        let input = json!({"name": "input", "shape": [1, 4], "datatype": "FP32", "data": row});
        let bodies = [
            ("/v1/predict/numbers", json!({"row": row})),
            ("/v1/predict/numbers?top=1", json!({"row": row})),
            ("/v2/models/numbers/infer", json!({"inputs": [input]})),
        ];
        for (path, body) in bodies {
            let answer = talk.post(path, &[("content-type", "application/json")], body.to_string());
            match &expected {
                Ok(_) => assert_eq!(answer.status, 200, "{}", answer.text()),
                Err(_) => {
                    assert!(answer.status == 422 && answer.error().contains("row 1"), "{}", answer.text());
                }
            }
        }
        refused += usize::from(expected.is_err());
    }
    assert!(refused > 0);
}
