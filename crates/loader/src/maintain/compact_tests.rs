use super::*;

fn small(day: &str, name: &str, bytes: u64) -> Small {
    Small {
        path: format!("day={day}/{name}"),
        bytes,
        rows: 1,
        partition: [("day".to_owned(), day.to_owned())].into(),
        remove: Remove::default(),
    }
}

fn names(groups: Vec<Vec<Small>>) -> Vec<Vec<String>> {
    groups.into_iter().map(|group| group.into_iter().map(|file| file.path).collect()).collect()
}

#[test]
fn a_group_is_of_one_day_and_not_larger_than_it_should_be() {
    let files =
        vec![small("1", "a", 40), small("2", "b", 10), small("1", "c", 50), small("1", "d", 30), small("1", "e", 30)];
    let groups = names(groups(files, 100));
    assert_eq!(groups, [vec!["day=1/d", "day=1/e", "day=1/a"]], "one file alone is left as it is");
}

#[test]
fn many_small_files_make_several_groups() {
    let files = (0..10).map(|n| small("1", &n.to_string(), 25)).collect();
    assert_eq!(names(groups(files, 100)).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
}
