//! Who a topic is: the UUID that Kafka gives it when it is created.
//!
//! The client's safe interface does not tell it; librdkafka does. All that is unsafe in this crate stands here and in
//! [`super::addresses`].
#![allow(unsafe_code, reason = "librdkafka tells a topic's id only through its C interface")]

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::consumer::Consumer as _;
use rdkafka::types::RDKafkaRespErr;

use super::Kafka;
use crate::Error;

/// Something of librdkafka's that is freed when this is dropped.
struct Owned<T> {
    pointer: *mut T,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// None: there is nothing to free. `pointer` must be null, or be freed by `free` alone.
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, free })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: not null, not freed before, and `free` is what librdkafka names for it.
        unsafe { (self.free)(self.pointer) }
    }
}

/// The topic's id, another one once it was deleted and created again. Blocks at most `limit`.
pub(crate) fn ask(kafka: &Kafka, topic: &str, limit: Duration) -> Result<Arc<str>, Error> {
    ask_full(kafka, &kafka.settings.full_name(topic), limit)
}

/// The same of a topic with its prefix.
pub(crate) fn ask_full(kafka: &Kafka, full: &str, limit: Duration) -> Result<Arc<str>, Error> {
    let away = |reason: &str| kafka.away(&format!("the id of topic {full} is not known: {reason}"));
    let name = CString::new(full).map_err(|_| away("its name contains a zero byte"))?;
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    let client = kafka.asking.client().native_ptr();
    let memory = || away("out of memory");

    let mut names = [name.as_ptr()];
    // SAFETY: one name, which lives on; librdkafka copies it.
    let asked = unsafe { rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()) };
    let asked = Owned::new(asked, rd::rd_kafka_TopicCollection_destroy).ok_or_else(memory)?;
    // SAFETY: the client lives as long as `kafka`, which is borrowed.
    let (options, queue) = unsafe {
        let kind = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        (rd::rd_kafka_AdminOptions_new(client, kind), rd::rd_kafka_queue_new(client))
    };
    let options = Owned::new(options, rd::rd_kafka_AdminOptions_destroy);
    let queue = Owned::new(queue, rd::rd_kafka_queue_destroy).ok_or_else(memory)?;
    let options = options.ok_or_else(memory)?;
    // SAFETY: all of them live until the end of this function; the text of an error is not asked for. A time that
    // librdkafka refuses leaves its own, and the poll ends in time all the same.
    let event = unsafe {
        rd::rd_kafka_AdminOptions_set_request_timeout(options.pointer, millis, ptr::null_mut(), 0);
        rd::rd_kafka_DescribeTopics(client, asked.pointer, options.pointer, queue.pointer);
        rd::rd_kafka_queue_poll(queue.pointer, millis)
    };
    let event = Owned::new(event, rd::rd_kafka_event_destroy).ok_or_else(|| away("no answer"))?;

    // SAFETY: the event is not freed before the end of this function; the text belongs to it.
    let failed = unsafe {
        (rd::rd_kafka_event_error(event.pointer) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR)
            .then(|| text(rd::rd_kafka_event_error_string(event.pointer)))
    };
    if let Some(reason) = failed {
        return Err(away(&reason));
    }
    // SAFETY: of an event of another type this is null.
    let result = unsafe { rd::rd_kafka_event_DescribeTopics_result(event.pointer) };
    if result.is_null() {
        return Err(away("the answer does not match the request"));
    }
    let mut count = 0;
    // SAFETY: the result belongs to the event, and so do the descriptions; there are `count` of them.
    let described = unsafe {
        let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if count == 0 || topics.is_null() { ptr::null() } else { *topics }
    };
    if described.is_null() {
        return Err(away("the answer is empty"));
    }
    // SAFETY: the description belongs to the event, and its error and its id to the description. No error is null,
    // which librdkafka takes for "none".
    let (code, high, low) = unsafe {
        let id = rd::rd_kafka_TopicDescription_topic_id(described);
        let code = rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(described));
        (code, rd::rd_kafka_Uuid_most_significant_bits(id), rd::rd_kafka_Uuid_least_significant_bits(id))
    };
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR if (high, low) == (0, 0) => {
            Err(away("the brokers are too old to report topic ids"))
        }
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(format!("{high:016x}{low:016x}").into()),
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => Err(Error::NoTopic { topic: full.into() }),
        // SAFETY: librdkafka has a text for every code, which is never freed.
        code => Err(away(&unsafe { text(rd::rd_kafka_err2str(code)) })),
    }
}

/// SAFETY: `of` is null or a text with a zero byte at its end.
unsafe fn text(of: *const std::ffi::c_char) -> String {
    if of.is_null() {
        return "no reason was given".to_owned();
    }
    // SAFETY: as promised above.
    unsafe { CStr::from_ptr(of) }.to_string_lossy().into_owned()
}
