use super::*;

fn sent(body: &str, positions: &[u32]) -> BTreeMap<u32, Bytes> {
    let delivery = Delivery { body: body.to_owned().into(), ..Delivery::default() };
    items(&delivery, &positions.iter().copied().collect())
}

const FIRST: &str = r#"{"field":"feed","value":{"item":"comment","verb":"add","comment_id":"1_1","n":1.50}}"#;
const SECOND: &str = r#"{ "field":"unheard of","value":[1, 2] }"#;

#[test]
fn an_item_is_given_as_it_came_in_its_envelope() {
    let body = format!(r#"{{"object":"page","entry":[{{"id":"7","time":1,"changes":[{FIRST},5,{SECOND}]}}]}}"#);
    let found = sent(&body, &[0, 2]);
    let enclosed = |item: &str| format!(r#"{{"object":"page","entry":[{{"id":"7","time":1,"changes":[{item}]}}]}}"#);
    assert_eq!(found, [(0, enclosed(FIRST).into()), (2, enclosed(SECOND).into())].into());
    assert_eq!(sent(&body, &[]), [].into());
}

#[test]
fn an_entry_of_its_own_is_given_as_it_came() {
    let entry = r#"{"id":"7","something":{"else": 1}}"#;
    let found = sent(&format!(r#"{{"object":"page","entry":[{entry}, {entry}]}}"#), &[1]);
    assert_eq!(found, [(1, format!(r#"{{"object":"page","entry":[{entry}]}}"#).into())].into());
}

#[test]
fn the_only_item_is_the_body() {
    let body = format!(r#"{{ "entry" : [ {{"id":"7","changes":[{FIRST}]}} ] }}"#);
    assert_eq!(sent(&body, &[0]), [(0, body.into())].into());
}

#[test]
fn an_entry_that_cannot_be_cut_leaves_the_others_alone() {
    let entry = |change: &str| format!(r#"{{"id":"7","changes":[{change}]}}"#);
    let body = format!(r#"{{"object":"page","entry":[{},5,{}]}}"#, entry(FIRST), entry(SECOND));
    let enclosed = |change: &str| format!(r#"{{"object":"page","entry":[{}]}}"#, entry(change));
    let expected = [(0, enclosed(FIRST).into()), (2, enclosed(SECOND).into())];
    assert_eq!(sent(&body, &[0, 2]), expected.into());
    assert_eq!(sent(r#"{"entry":[5]}"#, &[0]), [(0, r#"{"entry":[5]}"#.into())].into());
}
