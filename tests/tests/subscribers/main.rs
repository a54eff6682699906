//! What somebody has of Weir who reads its topics: the released schemas in the runtimes of other languages, and the page with
//! a consumer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod consumer;
mod records;
mod runtimes;
mod topics;

use prost::Message as _;
use prost_types::FileDescriptorSet;
use weir_tests::scratch::Scratch;

use crate::records::Encoded;
use crate::runtimes::Runtime;

/// Each message with each of its fields set; those of the oneofs in turn. With it each topic, also where no fixture leads to one.
#[test]
fn every_field_of_every_message_is_read_in_every_language() {
    let golden = records::golden();
    for used in weir::catalogue::descriptions().flat_map(|service| service.topics) {
        assert!(golden.iter().any(|encoded| encoded.message == used.message), "{}: {}", used.topic.name, used.message);
    }
    read_in_every_language(&golden);
}

/// Compares what each language reads with what Weir reads.
fn read_in_every_language(encoded: &[Encoded]) {
    let expected: Vec<_> = encoded.iter().map(Encoded::json).collect();
    for runtime in Runtime::ALL {
        let read =
            runtime.decode(&runtimes::released(), encoded).unwrap_or_else(|error| panic!("{runtime:?}: {error:#}"));
        assert_eq!(read.len(), expected.len(), "{runtime:?}");
        for ((read, expected), encoded) in read.into_iter().zip(&expected).zip(encoded) {
            assert_eq!(&records::normal(read), expected, "{runtime:?}: {}", encoded.message);
        }
    }
}

/// What most runtimes take, and one refuses: if it did not, the tests above would not show that it reads what is released.
#[test]
fn a_name_that_two_fields_have_in_json_is_refused() {
    let mut schemas = FileDescriptorSet::decode(std::fs::read(runtimes::released()).unwrap().as_slice()).unwrap();
    let file = schemas.file.iter_mut().find(|file| file.package() == "weir.raw.v1").unwrap();
    let delivery = file.message_type.iter_mut().find(|message| message.name() == "Delivery").unwrap();
    delivery.field[1].json_name = delivery.field[0].name.clone();
    let folder = Scratch::new("schemas").unwrap();
    let path = folder.path().join("collides.binpb");
    std::fs::write(&path, schemas.encode_to_vec()).unwrap();

    let refused = Runtime::Python.decode(&path, &records::golden()).unwrap_err().to_string();
    assert!(refused.contains("duplicate json_name"), "{refused}");
}
