//! What the bus promises, tried against a real log.
//!
//! Each promise is a function over a [`support::Log`]; a back end passes by running all of them. Faults of the log itself
//! (away, killed, restarted) are in `outage`, for a log that is a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod claims;
mod claims_life;
mod close;
mod compression;
mod consume;
mod crash;
mod fetching;
mod groups;
mod outage;
mod process;
mod produce;
mod read;
mod remade;
mod retention;
mod sharing;
mod support;

/// One test for each of these functions.
macro_rules! suite {
    ($log:path, $($module:ident::$name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$module::$name(&$log(stringify!($name))).await;
            }
        )+
    };
}

/// One test for each promise, on this log.
macro_rules! promises {
    ($log:path) => {
        crate::suite!(
            $log,
            produce::keeps_the_order_of_a_key,
            produce::headers_come_back_as_they_were,
            produce::a_key_has_its_partition,
            produce::tombstones_have_no_value,
            produce::is_full_by_count,
            produce::is_full_by_bytes,
            produce::refuses_what_is_too_large,
            produce::says_what_a_topic_refuses_each_time,
            produce::a_dead_letter_that_is_too_large_for_its_topic_goes_without_its_bytes,
            produce::takes_the_largest_record,
            produce::flush_waits_for_everything,
            produce::topics_have_compressions_of_their_own,
            produce::several_producers_keep_the_order_of_a_key,
            consume::a_new_group_begins_at_the_first_record,
            consume::limits_what_is_out_by_count,
            consume::limits_what_is_out_by_bytes,
            consume::a_long_stall_pauses_and_goes_on,
            consume::what_was_not_acked_comes_again,
            consume::only_the_contiguous_prefix_is_committed,
            consume::a_failed_record_comes_again,
            consume::tells_in_which_turn_a_record_came,
            consume::a_record_is_done_when_all_its_outputs_are,
            consume::records_of_a_lost_offset_stop_the_partition,
            consume::an_offset_beyond_the_end_stops_the_partition,
            consume::records_deleted_under_way_stop_the_partition,
            consume::close_commits_what_ends_in_time,
            consume::lag_is_known,
            crash::a_record_that_ends_the_process_is_found,
            crash::ends_in_good_order_suspect_nothing,
            crash::progress_clears_the_suspicion_at_once,
            crash::who_gathers_records_never_gets_them_alone,
            groups::two_members_share_the_partitions,
            groups::who_has_nothing_where_others_have_all_is_a_spare,
            groups::a_topic_that_is_made_after_the_join_is_consumed,
            groups::a_revoked_partition_is_drained,
            groups::late_acks_of_a_revoked_partition_are_ignored,
            groups::operators_see_and_set_where_groups_stand,
            read::starts_where_it_is_told,
            read::parts_are_read_in_any_order,
            read::ends_at_the_end_as_it_was,
            read::passes_over_deleted_records,
            read::finds_single_records,
            read::a_table_follows_and_catches_up,
            read::a_table_waits_for_its_topic,
            read::lists_the_topics_of_its_prefix,
            read::says_what_is_wrong_with_topics,
            read::a_topic_has_an_identity,
            read::tells_the_topics_with_records,
        );
    };
}

pub(crate) use {promises, suite};

mod kafka {
    crate::promises!(crate::support::Log::kafka);
    crate::suite!(
        crate::support::Log::kafka,
        close::closing_at_any_moment_never_ends_the_process,
        remade::a_member_reads_all_of_a_topic_that_was_made_again,
        remade::a_topic_that_is_made_again_is_another,
        remade::a_reader_says_that_its_topic_was_made_again,
        remade::a_table_outlives_its_topic,
        remade::a_position_of_a_topic_that_is_gone_is_not_believed,
        sharing::who_was_given_nothing_makes_the_group_decide_again,
        sharing::a_client_of_another_program_is_named,
        sharing::who_closes_while_the_group_is_shared_out_is_not_waited_for,
    );
}

mod embedded {
    crate::promises!(crate::support::Log::embedded);
}
