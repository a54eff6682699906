use super::*;

fn ask(query: &str) -> Result<String, Refusal> {
    answer(query, Some(&SecretString::from("to ken%"))).map(|challenge| challenge.body)
}

#[test]
fn the_challenge_is_echoed_to_who_knows_the_token() {
    let query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=to+ken%25";
    assert_eq!(ask(query), Ok("1158201444".to_owned()));
    // Another order, other parameters, everything encoded.
    let query = "a=b&hub%2Everify_token=to%20ken%25&&hub.challenge=%C3%A4%3c&hub.mode=subscribe&c";
    assert_eq!(ask(query), Ok("ä<".to_owned()));
}

#[test]
fn all_else_is_refused() {
    let refused = [
        ("", Refusal::Malformed(MODE)),
        ("hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=to+ken%25", Refusal::Malformed(MODE)),
        ("hub.mode=subscribe&hub.mode=subscribe&hub.challenge=1&hub.verify_token=to+ken%25", Refusal::Malformed(MODE)),
        ("hub.mode=subscribe&hub.challenge=1", Refusal::Malformed(TOKEN)),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=%2", Refusal::Malformed(TOKEN)),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=%zz", Refusal::Malformed(TOKEN)),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=%ff", Refusal::Malformed(TOKEN)),
        ("hub.mode=subscribe&hub.verify_token=to+ken%25", Refusal::Malformed(CHALLENGE)),
        ("hub.mode=subscribe&hub.challenge=&hub.verify_token=to+ken%25", Refusal::Malformed(CHALLENGE)),
        ("hub.mode=subscribe&hub.challenge=1%0d%0a2&hub.verify_token=to+ken%25", Refusal::Malformed(CHALLENGE)),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=to+ken", Refusal::WrongToken),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", Refusal::WrongToken),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=TO+KEN%25", Refusal::WrongToken),
    ];
    for (query, refusal) in refused {
        assert_eq!(ask(query), Err(refusal), "{query}");
    }
    let challenge = |length: usize| {
        ask(&format!("hub.mode=subscribe&hub.challenge={}&hub.verify_token=to+ken%25", "7".repeat(length)))
    };
    assert_eq!(challenge(256).map(|text| text.len()), Ok(256));
    assert_eq!(challenge(257), Err(Refusal::Malformed(CHALLENGE)));
}

#[test]
fn without_a_token_nobody_knows_it() {
    let query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=";
    assert_eq!(answer(query, None), Err(Refusal::NoToken));
    assert_eq!(answer(query, Some(&SecretString::from(""))), Err(Refusal::NoToken));
}

#[test]
fn blanks_around_a_token_are_left_out_where_meta_has_them_not() {
    let token = SecretString::from("\u{feff}token \n");
    for (sent, expected) in [
        ("token", Ok("1".to_owned())),
        ("%EF%BB%BFtoken+%0a", Ok("1".to_owned())),
        ("token+", Err(Refusal::WrongToken)),
        ("", Err(Refusal::WrongToken)),
    ] {
        let query = format!("hub.mode=subscribe&hub.challenge=1&hub.verify_token={sent}");
        assert_eq!(answer(&query, Some(&token)).map(|challenge| challenge.body), expected, "{sent}");
    }
}
