//! Dead letters as a product: listed, shown, counted, replayed; on the embedded log and on Kafka, and by the commands.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod commands;
mod kept;
mod look;
mod many;
mod place;
mod raw;
mod refusals;
mod replay;
mod storms;

/// One test for each of these functions, on this log.
macro_rules! suite {
    ($name:ident, $log:expr) => {
        mod $name {
            suite!(
                @tests $log,
                look::letters_are_listed_in_pages_shown_and_counted,
                look::what_cannot_be_asked_is_said,
                kept::an_event_larger_than_its_record_leaves_the_bytes_as_they_came,
                kept::what_would_take_too_much_memory_is_kept_whole_and_can_be_read_later,
                kept::little_memory_slows_down_and_stops_nothing,
                many::what_is_asked_of_very_many_reads_little,
                replay::after_the_fix_comes_what_had_come_without_the_fault,
                replay::an_item_that_an_older_version_refused_comes_with_its_id,
                replay::what_is_refused_again_is_a_new_letter_with_one_more_attempt,
                replay::a_dry_run_sends_nothing,
                replay::the_rate_is_kept_and_progress_is_told,
                replay::who_goes_away_stops_it,
                replay::other_stages_get_their_records_back,
                refusals::what_may_not_be_replayed_says_why,
                raw::what_never_came_out_comes_and_the_rest_is_unchanged,
                raw::what_waits_is_left_to_processing,
                raw::who_goes_away_stops_it_and_the_next_sends_the_rest,
                raw::what_may_not_be_sent_says_why,
                raw::what_was_claimed_and_never_came_out_comes_with_a_replay,
                storms::one_endpoint_is_held_back_at_every_door_and_let_in_again,
            );
        }
    };
    (@tests $log:expr, $($module:ident::$name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name($log).await;
            }
        )+
    };
}

suite!(embedded, crate::place::Log::Embedded);
suite!(kafka, crate::place::Log::Kafka);
