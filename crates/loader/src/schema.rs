//! The columns of a table, and how they grow. Columns are added, nullable, at the end; none changes its type.

use deltalake_core::arrow::datatypes::{DataType as Arrow, Field, Schema, TimeUnit};
use deltalake_core::kernel::{ArrayType, DataType, MapType, StructField, StructType};

/// The columns of a table after files with these columns are in it; `None`: they stay as they are.
///
/// # Errors
/// What does not go together, for people.
pub(crate) fn grown<'a>(
    table: &StructType,
    partition_columns: &[String],
    files: impl IntoIterator<Item = &'a Schema>,
) -> Result<Option<StructType>, String> {
    let mut columns: Vec<StructField> = table.fields().cloned().collect();
    let before = columns.len();
    for file in files {
        for field in file.fields() {
            let (name, data_type) = (field.name(), column_type(field)?);
            if partition_columns.contains(name) {
                return Err(format!("the file has column {name}, but the table is partitioned by it"));
            }
            // To most engines names that differ in their case are the same.
            match columns.iter().find(|column| column.name().eq_ignore_ascii_case(name)) {
                None => {
                    check_name(name)?;
                    columns.push(StructField::nullable(name, data_type));
                }
                Some(column) if column.name() != name => {
                    return Err(format!(
                        "column {name} differs from column {} of the table only in letter case",
                        column.name()
                    ));
                }
                Some(column) if nullable(column.data_type()) != data_type => {
                    return Err(format!(
                        "column {name} is {data_type} in the file and {} in the table",
                        column.data_type()
                    ));
                }
                Some(_) => {}
            }
        }
    }
    if columns.len() == before {
        return Ok(None);
    }
    StructType::try_new(columns).map(Some).map_err(|error| error.to_string())
}

/// What a partition column is in a table that is yet to be made.
pub(crate) fn partition_type(name: &str) -> DataType {
    if name == lake::columns::DAY { DataType::DATE } else { DataType::STRING }
}

/// The columns of a table that is yet to be made: those of its partitions, then those of its files.
pub(crate) fn first<'a>(
    partition_columns: &[String],
    files: impl IntoIterator<Item = &'a Schema>,
) -> Result<StructType, String> {
    let partitions = partition_columns.iter().map(|name| StructField::nullable(name, partition_type(name)));
    let partitions = StructType::try_new(partitions).map_err(|error| error.to_string())?;
    Ok(grown(&partitions, partition_columns, files)?.unwrap_or(partitions))
}

/// The names of the columns in the files of which a table's log may tell. Of one that consists of others, a log tells in
/// another shape.
pub(crate) fn in_files<'a>(columns: &'a StructType, partition_columns: &'a [String]) -> impl Iterator<Item = &'a str> {
    let told = columns.fields().filter(|field| !matches!(field.data_type(), DataType::Struct(_)));
    told.map(|field| field.name().as_str()).filter(|name| !partition_columns.iter().any(|one| one == name))
}

/// The columns by which engines may pass over files: of each, every file's smallest and largest value is told.
pub(crate) fn skipped_by(columns: &StructType, partition_columns: &[String]) -> Vec<String> {
    let told = [
        DataType::STRING,
        DataType::BYTE,
        DataType::SHORT,
        DataType::INTEGER,
        DataType::LONG,
        DataType::DATE,
        DataType::TIMESTAMP,
    ];
    let is_told = |name: &&str| columns.field(name).is_some_and(|field| told.contains(field.data_type()));
    // Another name would have to be quoted, and not every engine reads that.
    let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    in_files(columns, partition_columns).filter(is_told).filter(is_plain).map(ToOwned::to_owned).collect()
}

/// Names that every engine can say.
fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.contains([' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '=']) {
        return Err(format!("column {name:?} has a name that is not valid in a table"));
    }
    Ok(())
}

fn column_type(field: &Field) -> Result<DataType, String> {
    delta_type(field.data_type())
        .ok_or_else(|| format!("column {} is {}, a type that a table cannot have", field.name(), field.data_type()))
}

/// What a column of a file is in the table; none where not every engine can read it.
fn delta_type(data_type: &Arrow) -> Option<DataType> {
    Some(match data_type {
        Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => DataType::STRING,
        Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView => DataType::BINARY,
        Arrow::Boolean => DataType::BOOLEAN,
        Arrow::Int8 => DataType::BYTE,
        Arrow::Int16 => DataType::SHORT,
        Arrow::Int32 => DataType::INTEGER,
        Arrow::Int64 => DataType::LONG,
        Arrow::Float32 => DataType::FLOAT,
        Arrow::Float64 => DataType::DOUBLE,
        Arrow::Date32 => DataType::DATE,
        Arrow::Timestamp(TimeUnit::Microsecond, Some(zone)) if matches!(&**zone, "UTC" | "+00:00") => {
            DataType::TIMESTAMP
        }
        Arrow::Decimal128(precision, scale) => DataType::decimal(*precision, u8::try_from(*scale).ok()?).ok()?,
        Arrow::List(item) | Arrow::LargeList(item) => ArrayType::new(delta_type(item.data_type())?, true).into(),
        Arrow::Map(entries, _) => {
            let Arrow::Struct(entries) = entries.data_type() else { return None };
            let (key, value) = (entries.first()?, entries.get(1)?);
            MapType::new(delta_type(key.data_type())?, delta_type(value.data_type())?, true).into()
        }
        Arrow::Struct(fields) => {
            let fields: Option<Vec<_>> = fields
                .iter()
                .map(|field| Some(StructField::nullable(field.name(), delta_type(field.data_type())?)))
                .collect();
            StructType::try_new(fields?).ok()?.into()
        }
        _ => return None,
    })
}

/// The same type with everything in it nullable and without remarks, for comparing.
fn nullable(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Array(array) => ArrayType::new(nullable(array.element_type()), true).into(),
        DataType::Map(map) => MapType::new(nullable(map.key_type()), nullable(map.value_type()), true).into(),
        DataType::Struct(fields) => {
            let fields = fields.fields().map(|field| StructField::nullable(field.name(), nullable(field.data_type())));
            StructType::try_new(fields).map_or_else(|_| data_type.clone(), Into::into)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
