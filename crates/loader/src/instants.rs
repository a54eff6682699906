//! Times of rows, whoever wrote the file.

use std::sync::Arc;

use deltalake_core::arrow::array::RecordBatch;
use deltalake_core::arrow::compute::cast;
use deltalake_core::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use deltalake_core::arrow::error::ArrowError;

/// The same rows, each time in microseconds of UTC, as Weir writes it. Spark writes times as INT96, which is read as
/// nanoseconds without a zone.
pub(crate) fn in_utc(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let ours = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        if matches!(array.data_type(), DataType::Timestamp(..)) && *array.data_type() != ours {
            fields.push(Arc::new(Field::new(field.name(), ours.clone(), field.is_nullable())));
            columns.push(cast(array, &ours)?);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(array));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

#[cfg(test)]
mod tests {
    use deltalake_core::arrow::array::{ArrayRef, AsArray as _, Int64Array, TimestampNanosecondArray};
    use deltalake_core::arrow::datatypes::TimestampMicrosecondType;

    use super::*;

    #[test]
    fn times_are_microseconds_of_utc() {
        let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![Some(1_772_323_200_000_007_000), None]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter_with_nullable([("at", times, true), ("n", numbers, false)]).unwrap();
        let ours = in_utc(&batch).unwrap();
        let at = ours.column(0).as_primitive::<TimestampMicrosecondType>();
        assert_eq!(at.iter().collect::<Vec<_>>(), [Some(1_772_323_200_000_007), None]);
        assert_eq!(at.timezone(), Some("UTC"));
        assert_eq!(ours.column(1), batch.column(1));
        assert_eq!(in_utc(&ours).unwrap(), ours);
    }
}
