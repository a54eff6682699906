use proptest::prelude::*;

use super::*;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const TARGET: u64 = 256 * MIB;

fn small(day: &str, name: &str, bytes: u64) -> Small {
    Small { path: format!("day={day}/{name}"), bytes, rows: 1, partition: [("day".to_owned(), day.to_owned())].into() }
}

fn names(groups: Vec<Vec<Small>>) -> Vec<Vec<String>> {
    groups.into_iter().map(|group| group.into_iter().map(|file| file.path).collect()).collect()
}

#[test]
fn a_group_is_of_one_day_and_not_larger_than_it_should_be() {
    let files =
        vec![small("1", "a", 40), small("2", "b", 10), small("1", "c", 50), small("1", "d", 30), small("1", "e", 30)];
    let groups = names(groups(&files, 100, "2"));
    assert_eq!(groups, [vec!["day=1/d", "day=1/e", "day=1/a"]], "one file alone is left as it is");
}

#[test]
fn many_small_files_make_several_groups() {
    let files: Vec<Small> = (0..10).map(|n| small("1", &n.to_string(), 25)).collect();
    assert_eq!(names(groups(&files, 100, "1")).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
}

#[test]
fn a_large_file_is_not_written_anew_for_some_late_rows() {
    let mut files = vec![small("1", "large", 100 * MIB), small("1", "a", 20 * KIB), small("1", "b", 30 * KIB)];
    assert_eq!(names(groups(&files, TARGET, "1")), [["day=1/a", "day=1/b"]]);
    files.push(small("1", "c", 20 * MIB));
    assert_eq!(names(groups(&files, TARGET, "1")), [["day=1/a", "day=1/b", "day=1/c", "day=1/large"]]);
}

#[test]
fn an_open_day_is_merged_when_many_files_are_alike() {
    let files = |n: usize, bytes: u64| (0..n).map(move |i| small("2", &format!("{bytes}-{i}"), bytes));
    let few: Vec<Small> = files(MANY - 1, 20 * KIB).chain(files(MANY - 1, MIB)).collect();
    assert_eq!(groups(&few, TARGET, "1"), [[]; 0], "they are not alike");
    let many: Vec<Small> = files(MANY, 20 * KIB).chain(files(MANY - 1, MIB)).collect();
    assert_eq!(groups(&many, TARGET, "1").iter().map(Vec::len).collect::<Vec<_>>(), [MANY]);
    let large: Vec<Small> = files(5, 100 * MIB).collect();
    assert_eq!(groups(&large, TARGET, "1").iter().map(Vec::len).collect::<Vec<_>>(), [2, 2], "enough for large ones");
}

proptest! {
    /// A day that grows by a file with each commit, and is merged after some of them: it has few files at any time, and no
    /// row is written anew more than some times.
    #[test]
    fn a_day_that_grows_has_few_files_and_is_not_written_again_and_again(
        bytes in prop::collection::vec(5 * KIB..60 * KIB, 3000),
        commits_in_a_run in 1_usize..60,
    ) {
        let (mut files, mut written, mut most) = (Vec::<Small>::new(), 0, 0);
        for (n, bytes) in bytes.iter().enumerate() {
            files.push(small("2", &format!("{n:06}"), *bytes));
            if n % commits_in_a_run != 0 {
                continue;
            }
            for group in groups(&files, TARGET, "1") {
                let size = group.iter().map(|file| file.bytes).sum();
                files.retain(|file| !group.contains(file));
                files.push(small("2", &format!("{n:06}m{size}"), size));
                written += size;
            }
            most = most.max(files.len());
        }
        let all: u64 = bytes.iter().sum();
        prop_assert!(most <= 3 * MANY + commits_in_a_run, "{most} files");
        prop_assert!(written <= 6 * all, "{written} bytes written for {all}");
    }
}
