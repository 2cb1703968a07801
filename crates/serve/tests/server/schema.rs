//! Reads openapi.json, and checks values against its schemas: by those keywords of JSON Schema that the file uses.

use serde_json::{Map, Value};

/// openapi.json.
pub struct Document(pub Value);

/// A method of a path.
pub struct Operation<'d> {
    pub path: &'d str,
    /// In upper case.
    pub method: String,
    pub object: &'d Map<String, Value>,
    /// Those of the path and of the method.
    pub parameters: Vec<&'d Value>,
}

impl Document {
    pub fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../src/openapi.json")).unwrap())
    }

    /// The value, or the one that its "$ref" names.
    pub fn resolved<'d>(&'d self, value: &'d Value) -> &'d Value {
        let Some(name) = value.get("$ref").and_then(Value::as_str) else { return value };
        let found = name.strip_prefix('#').and_then(|pointer| self.0.pointer(pointer));
        found.unwrap_or_else(|| panic!("{name} is not in the file"))
    }

    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut all = Vec::new();
        for (path, item) in self.0["paths"].as_object().unwrap() {
            for (method, object) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "parameters") {
                let lists = [item.get("parameters"), object.get("parameters")];
                let parameters = lists.into_iter().flatten().flat_map(|list| list.as_array().unwrap());
                all.push(Operation {
                    path,
                    method: method.to_uppercase(),
                    object: object.as_object().unwrap(),
                    parameters: parameters.map(|parameter| self.resolved(parameter)).collect(),
                });
            }
        }
        all
    }

    /// Checks that a value fits a schema. Keys that the schema does not name are an error.
    pub fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let known = self.fits(schema, value)?;
        let unknown = value.as_object().and_then(|map| map.keys().find(|key| !known.contains(key)));
        unknown.map_or(Ok(()), |key| Err(format!("the key {key:?} is not in the schema of {value}")))
    }

    /// The keys of the value that the schema knows, if it fits.
    fn fits<'v>(&self, schema: &Value, value: &'v Value) -> Result<Vec<&'v String>, String> {
        let rules = schema.as_object().unwrap_or_else(|| panic!("a schema must be an object: {schema}"));
        let map = value.as_object();
        let names = || map.into_iter().flat_map(Map::keys);
        let mut known = Vec::new();
        // Objects of which nothing is said may have any keys.
        if !["properties", "additionalProperties", "$ref", "oneOf"].iter().any(|key| rules.contains_key(*key))
        {
            known.extend(names());
        }
        let listed = |name: &str| schema["properties"].get(name).is_some();
        for (keyword, rule) in rules {
            let fits = match keyword.as_str() {
                "description" | "contentMediaType" => true,
                "$ref" => {
                    known.extend(self.fits(self.resolved(schema), value)?);
                    true
                }
                "oneOf" => {
                    let forms = rule.as_array().unwrap().iter().map(|form| self.fits(form, value));
                    let (fitting, others): (Vec<_>, Vec<_>) = forms.partition(Result::is_ok);
                    if fitting.len() != 1 {
                        return Err(format!("{} of the forms fit {value}: {others:?}", fitting.len()));
                    }
                    known.extend(fitting.into_iter().flatten().flatten());
                    true
                }
                "type" => list(rule).iter().any(|name| is_of_type(value, name.as_str().unwrap())),
                "const" => value == rule,
                "enum" => rule.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
                "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= rule.as_u64().unwrap()),
                "required" => map
                    .is_none_or(|map| list(rule).iter().all(|name| map.contains_key(name.as_str().unwrap()))),
                "properties" => {
                    for name in names().filter(|name| listed(name)) {
                        self.check(&rule[name], &value[name])?;
                        known.push(name);
                    }
                    true
                }
                "additionalProperties" => {
                    for name in names().filter(|name| !listed(name)) {
                        if rule == false {
                            return Err(format!("{name:?} must not be in {value}"));
                        }
                        self.check(rule, &value[name])?;
                        known.push(name);
                    }
                    true
                }
                "items" => {
                    let mut items = value.as_array().into_iter().flatten();
                    items.try_for_each(|item| self.check(rule, item))?;
                    true
                }
                other => panic!("the check of schemas does not know {other:?}"),
            };
            if !fits {
                return Err(format!("{value} does not fit {keyword:?}: {rule}"));
            }
        }
        Ok(known)
    }
}

/// The items of a list, or the value alone.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("there is no type {other:?}"),
    }
}

#[test]
fn what_does_not_fit_a_schema_is_found() {
    let document = Document(serde_json::json!({"a": {
        "type": "object", "required": ["kind"], "properties": {"kind": {"const": "a"}, "size": {"type": "integer", "minimum": 1}},
    }, "b": {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": ["b", "c"]}}}}));
    let schema = serde_json::json!({
        "required": ["list"],
        "properties": {"list": {"type": "array", "items": {"type": "string"}}},
        "oneOf": [{"$ref": "#/a"}, {"$ref": "#/b"}],
    });
    let check = |text: &str| document.check(&schema, &serde_json::from_str(text).unwrap());
    assert_eq!(check(r#"{"list": ["x"], "kind": "a", "size": 1}"#), Ok(()));
    assert_eq!(check(r#"{"list": [], "kind": "c"}"#), Ok(()));
    for wrong in [
        r#"{"kind": "a"}"#,
        r#"{"list": [1], "kind": "a"}"#,
        r#"{"list": [], "kind": "d"}"#,
        r#"{"list": [], "kind": "a", "size": 0}"#,
        r#"{"list": [], "kind": "a", "size": 1.5}"#,
        r#"{"list": [], "kind": "b", "size": 1}"#,
        r#"{"list": [], "kind": "a", "more": 1}"#,
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
}
