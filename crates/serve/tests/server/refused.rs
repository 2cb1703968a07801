//! How refusals are answered.

use crate::client::post;
use crate::{Served, all_models};

#[test]
fn a_path_that_is_not_utf_8_is_refused_in_json() {
    let served = Served::start(all_models());
    for path in ["/v1/predict/%FF", "/v2/models/%ff/infer", "/v2/models/a/versions/%C3%28/infer"] {
        let answer = post(served.address, path, &[], "{}");
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{path}");
        assert!(answer.error().contains("the path must be UTF-8"), "{}", answer.error());
    }
}
