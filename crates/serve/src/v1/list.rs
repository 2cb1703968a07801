//! `GET /v1/models`: what each model takes and says, for forms.

use crate::app::App;
use crate::fault::json;
use crate::loaded::Loaded;
use axum::extract::State;
use axum::response::Response;
use plywood::data::ColumnType;
use plywood::predictor::{Classes, Labels, Numbers};
use plywood::preprocessing::{CategoryIdsEncoder, ColumnsEncoder, Field, InputBlock};
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /v1/models`
pub(crate) async fn models(State(app): State<Arc<App>>) -> Response {
    let model = |slot: &crate::models::Slot| match slot.get() {
        Some(loaded) => json!({
            "name": slot.name, "version": loaded.version, "ready": true,
            "fields": fields(&loaded), "outputs": outputs(&loaded),
        }),
        None => json!({"name": slot.name, "version": null, "ready": false, "fields": [], "outputs": []}),
    };
    json(&json!({"models": app.models.0.iter().map(model).collect::<Vec<_>>()}))
}

fn fields(model: &Loaded) -> Vec<Value> {
    let field = |Field { name, column_type, .. }: &Field| match column_type {
        ColumnType::Image => {
            let image = model.images.iter().find(|image| image.name == *name);
            let [height, width] = image.map_or([0, 0], |image| image.size);
            let colours = if image.is_some_and(|image| !image.grey) { "rgb" } else { "grey" };
            let inverted = image.is_some_and(|image| image.inverted);
            json!({
                "name": name, "type": "image", "height": height, "width": width, "colours": colours, "inverted": inverted
            })
        }
        ColumnType::Text => json!({"name": name, "type": "text"}),
        ColumnType::Number => json!({"name": name, "type": "number"}),
        ColumnType::Boolean { no, yes } => json!({"name": name, "type": "boolean", "no": no, "yes": yes}),
        ColumnType::Date(format) => json!({"name": name, "type": "date", "format": format.to_string()}),
        ColumnType::Category => {
            json!({"name": name, "type": "category", "categories": categories(model, name)})
        }
        ColumnType::Array(shape) => json!({"name": name, "type": "array", "shape": shape}),
        other => json!({"name": name, "type": other.to_string()}),
    };
    model.predictor.fields().iter().map(field).collect()
}

/// The categories of a field that occurred in training.
fn categories(model: &Loaded, field: &str) -> Vec<String> {
    for port in model.predictor.model().inputs() {
        if let Ok(columns) = model.predictor.input_block::<ColumnsEncoder>(port.name())
            && columns.fields().iter().any(|own| own.name == field)
        {
            return columns.categories(field).map(str::to_owned).collect();
        }
        if let Ok(ids) = model.predictor.input_block::<CategoryIdsEncoder>(port.name())
            && ids.fields().iter().any(|own| own.name == field || own.name.is_empty() && port.name() == field)
        {
            return ids.categories().map(str::to_owned).collect();
        }
    }
    Vec::new()
}

fn outputs(model: &Loaded) -> Vec<Value> {
    let output = |name: &str| {
        if let Ok(classes) = model.predictor.output_block::<Classes>(name) {
            return json!({"name": name, "type": "class", "classes": classes.names().collect::<Vec<_>>()});
        }
        if let Ok(labels) = model.predictor.output_block::<Labels>(name) {
            return json!({"name": name, "type": "labels", "labels": labels.names().collect::<Vec<_>>()});
        }
        let numbers = model.predictor.output_block::<Numbers>(name);
        let names = numbers.map(|numbers| numbers.names().collect::<Vec<_>>()).unwrap_or_default();
        json!({"name": name, "type": "numbers", "names": names})
    };
    model.predictor.model().outputs().iter().map(|port| output(port.name())).collect()
}
