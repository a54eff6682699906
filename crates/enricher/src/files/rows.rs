//! The columns of the table of activities, and how they are filled. Columns only grow; texts that are empty are null.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringArray,
    StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use bus::Coordinates;
use common::activity::v1::{Activity, Actor, EnrichedActivity, Object, Run};
use common::event::v1::{Context, TimeQuality};
use common::time::to_micros;
use lake::columns;
use prost_types::Timestamp;

use crate::fields::{self, account, actor, author, instrument, object, target, target_author, thread};

/// A row: an activity and where it stands.
#[derive(Debug, Clone)]
pub struct Row {
    /// The activity, with what was found out.
    pub enriched: EnrichedActivity,
    /// Its record.
    pub at: Coordinates,
    /// The `traceparent` of its record.
    pub traceparent: Option<String>,
}

/// How a column is read from a row.
#[derive(Clone, Copy)]
enum Column {
    Text(fn(&Row) -> Cow<'_, str>),
    Int(fn(&Row) -> i32),
    Long(fn(&Row) -> Option<i64>),
    Flag(fn(&Row) -> bool),
    Time(fn(&Row) -> Option<&Timestamp>),
    Texts(fn(&Row) -> &[String]),
    Map(fn(&Row) -> &BTreeMap<String, String>),
}

use Column::{Flag, Int, Long, Map, Text, Texts, Time};

const COLUMNS: &[(&str, Column)] = &[
    (columns::ID, Text(|row| row.activity(|activity| &activity.id))),
    (columns::EVENT_ID, Text(|row| row.context(|context| &context.event_id))),
    (
        columns::ORDINAL,
        Int(|row| row.enriched.activity.as_ref().map_or(0, |a| a.ordinal.try_into().unwrap_or(i32::MAX))),
    ),
    (columns::TENANT, Text(|row| row.context(|context| &context.tenant))),
    (columns::ENDPOINT, Text(|row| row.context(|context| &context.endpoint))),
    (columns::SOURCE, Text(|row| row.context(|context| &context.source))),
    (columns::ACCOUNT_ID, Text(|row| row.context(|context| &context.account_id))),
    (columns::ACCOUNT_NAME, Text(|row| row.part(account, |account| &account.title))),
    (columns::ACCOUNT_TYPE, Text(|row| row.part(account, |account| &account.r#type))),
    (columns::ACCOUNT_URL, Text(|row| row.part(account, |account| &account.url))),
    (columns::EVENT_TYPE, Text(|row| row.activity(|activity| &activity.event_type))),
    (columns::VERB, Text(|row| row.enriched.activity.as_ref().map_or(Cow::Borrowed(""), fields::verb))),
    (columns::ACTION, Text(|row| row.activity(|activity| &activity.action))),
    (columns::URL, Text(|row| row.enriched.activity.as_ref().map_or("", fields::url).into())),
    (columns::ACTOR_ID, Text(|row| row.actor(actor, |actor| &actor.id))),
    (columns::ACTOR_NAME, Text(|row| row.actor(actor, |actor| &actor.name))),
    (columns::ACTOR_HANDLE, Text(|row| row.actor(actor, |actor| &actor.handle))),
    (columns::ACTOR_TYPE, Text(|row| row.actor(actor, |actor| &actor.r#type))),
    (columns::OBJECT_ID, Text(|row| row.part(object, |object| &object.id))),
    (columns::OBJECT_TYPE, Text(|row| row.part(object, |object| &object.r#type))),
    (columns::OBJECT_URL, Text(|row| row.part(object, |object| &object.url))),
    (columns::OBJECT_TITLE, Text(|row| row.part(object, |object| &object.title))),
    (columns::OBJECT_STATUS, Text(|row| row.part(object, |object| &object.status))),
    (columns::OBJECT_AUTHOR_ID, Text(|row| row.actor(author, |author| &author.id))),
    (columns::OBJECT_AUTHOR_NAME, Text(|row| row.actor(author, |author| &author.name))),
    (columns::OBJECT_AUTHOR_HANDLE, Text(|row| row.actor(author, |author| &author.handle))),
    (columns::TARGET_ID, Text(|row| row.part(target, |target| &target.id))),
    (columns::TARGET_TYPE, Text(|row| row.part(target, |target| &target.r#type))),
    (columns::TARGET_URL, Text(|row| row.part(target, |target| &target.url))),
    (columns::TARGET_TITLE, Text(|row| row.part(target, |target| &target.title))),
    (columns::TARGET_STATUS, Text(|row| row.part(target, |target| &target.status))),
    (columns::TARGET_AUTHOR_ID, Text(|row| row.actor(target_author, |author| &author.id))),
    (columns::TARGET_AUTHOR_NAME, Text(|row| row.actor(target_author, |author| &author.name))),
    (columns::TARGET_AUTHOR_HANDLE, Text(|row| row.actor(target_author, |author| &author.handle))),
    (columns::INSTRUMENT_ID, Text(|row| row.part(instrument, |instrument| &instrument.id))),
    (columns::INSTRUMENT_TYPE, Text(|row| row.part(instrument, |instrument| &instrument.r#type))),
    (columns::INSTRUMENT_URL, Text(|row| row.part(instrument, |instrument| &instrument.url))),
    (columns::INSTRUMENT_TITLE, Text(|row| row.part(instrument, |instrument| &instrument.title))),
    (columns::THREAD_ID, Text(|row| row.part(thread, |thread| &thread.id))),
    (columns::THREAD_TYPE, Text(|row| row.part(thread, |thread| &thread.r#type))),
    (columns::THREAD_URL, Text(|row| row.part(thread, |thread| &thread.url))),
    (columns::THREAD_TITLE, Text(|row| row.part(thread, |thread| &thread.title))),
    (columns::NUMBER, Long(|row| row.enriched.activity.as_ref().and_then(fields::number))),
    (columns::WORKFLOW, Text(|row| row.run(|run| &run.workflow))),
    (columns::RUN_ID, Text(|row| row.run(|run| &run.id))),
    (columns::RUN_URL, Text(|row| row.run(|run| &run.url))),
    (columns::RUN_ATTEMPT, Long(|row| row.enriched.activity.as_ref()?.run.as_ref()?.attempt)),
    (columns::BRANCH, Text(|row| row.activity(|activity| &activity.branch))),
    (columns::COMMIT, Text(|row| row.activity(|activity| &activity.commit))),
    (columns::TEXT, Text(|row| row.maybe(|activity| activity.text.as_deref()))),
    (columns::REACTION, Text(|row| row.maybe(|activity| activity.reaction.as_deref()))),
    (columns::LINKS, Texts(|row| &row.enriched.links)),
    (columns::LANGUAGE, Text(|row| row.enriched.language.as_str().into())),
    (columns::HASHTAGS, Texts(|row| &row.enriched.hashtags)),
    (columns::MENTIONS, Texts(|row| &row.enriched.mentions)),
    (columns::ATTRIBUTES, Map(|row| &row.enriched.attributes)),
    (columns::PARTIAL, Flag(|row| row.enriched.partial)),
    (columns::OCCURRED_AT, Time(|row| row.enriched.activity.as_ref()?.occurred_at.as_ref())),
    (columns::TIME_QUALITY, Text(time_quality)),
    (columns::RECEIVED_AT, Time(|row| received_at(row.enriched.activity.as_ref()?))),
    (columns::ENRICHED_AT, Time(|row| row.enriched.enriched_at.as_ref())),
    (columns::DELIVERY_ID, Text(|row| row.context(|context| &context.delivery_id))),
    (columns::TRACE_ID, Text(|row| row.traceparent.as_deref().and_then(trace_id).unwrap_or("").into())),
    (columns::WEIR_LOG, Text(|row| (&*row.at.log).into())),
    (columns::WEIR_TOPIC, Text(|row| (&*row.at.topic).into())),
    (columns::WEIR_PARTITION, Int(|row| row.at.partition)),
    (columns::WEIR_OFFSET, Long(|row| Some(row.at.offset))),
];

/// The schema of the files. The partition column is not in it.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields: Fields = COLUMNS.iter().map(|(name, column)| Field::new(*name, data_type(*column), true)).collect();
    Arc::new(Schema::new(fields))
});

impl Row {
    fn activity(&self, of: fn(&Activity) -> &String) -> Cow<'_, str> {
        self.enriched.activity.as_ref().map_or("", |activity| of(activity)).into()
    }

    fn maybe(&self, of: fn(&Activity) -> Option<&str>) -> Cow<'_, str> {
        self.enriched.activity.as_ref().and_then(of).unwrap_or("").into()
    }

    fn context(&self, of: fn(&Context) -> &String) -> Cow<'_, str> {
        let context = self.enriched.activity.as_ref().and_then(|activity| activity.context.as_ref());
        context.map_or("", |context| of(context)).into()
    }

    fn actor(&self, whose: fn(&Activity) -> Option<&Actor>, of: fn(&Actor) -> &String) -> Cow<'_, str> {
        self.enriched.activity.as_ref().and_then(whose).map_or("", |actor| of(actor)).into()
    }

    fn part(&self, which: fn(&Activity) -> Option<&Object>, of: fn(&Object) -> &String) -> Cow<'_, str> {
        self.enriched.activity.as_ref().and_then(which).map_or("", |object| of(object)).into()
    }

    fn run(&self, of: fn(&Run) -> &String) -> Cow<'_, str> {
        let run = self.enriched.activity.as_ref().and_then(|activity| activity.run.as_ref());
        run.map_or("", |run| of(run)).into()
    }
}

/// When the door had the delivery of an activity.
pub fn received_at(activity: &Activity) -> Option<&Timestamp> {
    activity.context.as_ref()?.received_at.as_ref()
}

fn time_quality(row: &Row) -> Cow<'_, str> {
    let context = row.enriched.activity.as_ref().and_then(|activity| activity.context.as_ref());
    match context.map(|context| TimeQuality::try_from(context.time_quality)) {
        None | Some(Ok(TimeQuality::Unspecified)) => "".into(),
        Some(Ok(quality)) => quality.as_str_name().trim_start_matches("TIME_QUALITY_").to_ascii_lowercase().into(),
        Some(Err(unknown)) => unknown.0.to_string().into(),
    }
}

/// The second part of `00-<trace>-<span>-<flags>`.
fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit()))
}

fn element() -> Field {
    Field::new("element", DataType::Utf8, true)
}

fn data_type(column: Column) -> DataType {
    match column {
        Text(_) => DataType::Utf8,
        Int(_) => DataType::Int32,
        Long(_) => DataType::Int64,
        Flag(_) => DataType::Boolean,
        Time(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Texts(_) => DataType::List(Arc::new(element())),
        Map(_) => {
            let entry =
                Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
            DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entry), false)), false)
        }
    }
}

/// Rows as columns.
pub fn batch(rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let columns = COLUMNS.iter().map(|(_, column)| array(*column, rows)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(&SCHEMA), columns)
}

fn array(column: Column, rows: &[Row]) -> Result<ArrayRef, ArrowError> {
    Ok(match column {
        Text(of) => {
            let texts = rows.iter().map(|row| Some(of(row)).filter(|text| !text.is_empty()));
            Arc::new(StringArray::from_iter(texts))
        }
        Int(of) => Arc::new(Int32Array::from_iter_values(rows.iter().map(of))),
        Long(of) => Arc::new(Int64Array::from_iter(rows.iter().map(of))),
        Flag(of) => Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(of(row))))),
        Time(of) => {
            let times = rows.iter().map(|row| of(row).and_then(to_micros));
            Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
        }
        Texts(of) => {
            let mut list = ListBuilder::new(StringBuilder::new()).with_field(element());
            for row in rows {
                of(row).iter().for_each(|text| list.values().append_value(text));
                list.append(true);
            }
            Arc::new(list.finish())
        }
        Map(of) => {
            let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
            let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
            for row in rows {
                for (key, value) in of(row) {
                    map.keys().append_value(key);
                    map.values().append_value(value);
                }
                map.append(true)?;
            }
            Arc::new(map.finish())
        }
    })
}

#[cfg(test)]
#[path = "rows_tests.rs"]
pub(super) mod tests;
