//! Which columns of a Parquet file are vectors, and which are ids.

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type};

use crate::Dtype;

/// Names by which a column of ids is known.
const ID_NAMES: [&str; 10] =
    ["id", "_id", "ids", "docid", "doc_id", "document_id", "pid", "passage_id", "qid", "query_id"];

/// A column of lists of numbers.
#[derive(Debug)]
pub(super) struct VectorColumn {
    /// Its name, with those of the structures around it.
    pub name: String,
    /// Its place among the columns as they are stored.
    pub leaf: usize,
    /// What its numbers are stored as here.
    pub dtype: Dtype,
    /// Definition level from which a list has an element.
    pub element: i16,
    /// Definition level from which the element is a number.
    pub number: i16,
}

/// A column of strings or whole numbers.
#[derive(Debug)]
pub(super) struct IdColumn {
    /// Its name.
    pub name: String,
    /// Its place among the columns as they are stored.
    pub leaf: usize,
    /// Whether its numbers have no sign.
    pub unsigned: bool,
    /// Definition level from which there is an id.
    pub defined: i16,
}

/// The column of vectors that is named, or the only one.
///
/// # Errors
/// What is wrong, and the columns there are.
pub(super) fn vectors(schema: &SchemaDescriptor, name: Option<&str>) -> Result<VectorColumn, String> {
    let lists = (0..schema.num_columns()).filter_map(|leaf| vector_column(schema, leaf));
    match name {
        Some(name) => one(lists, |column| column.name == name).map_err(|_| {
            format!("has no column {name:?} of lists of floating-point numbers; its columns: {}", described(schema))
        }),
        None => one(lists, |_| true).map_err(|found| {
            let how_many = if found == 0 { "no column" } else { "several columns" };
            let cure = if found == 0 { "write one" } else { "name the one (--vector-column)" };
            format!("has {how_many} of lists of floating-point numbers; {cure}; its columns: {}", described(schema))
        }),
    }
}

/// The column of ids that is named, or the only one whose name says so.
///
/// # Errors
/// What is wrong, and the columns there are.
pub(super) fn ids(schema: &SchemaDescriptor, name: Option<&str>) -> Result<IdColumn, String> {
    let plain = (0..schema.num_columns()).filter_map(|leaf| id_column(schema, leaf));
    match name {
        Some(name) => one(plain, |column| column.name == name).map_err(|_| {
            format!("has no column {name:?} of strings or whole numbers; its columns: {}", described(schema))
        }),
        None => one(plain, |column| ID_NAMES.contains(&column.name.to_lowercase().as_str())).map_err(|found| {
            let how_many = if found == 0 { "no column" } else { "several columns" };
            let cure = "name the one (--id-column), or give the ids in a file of their own";
            format!(
                "has {how_many} with a name of ids ({}); {cure}; its columns: {}",
                ID_NAMES.join(", "),
                described(schema)
            )
        }),
    }
}

/// The only one that is wanted, or how many are.
fn one<T>(columns: impl Iterator<Item = T>, wanted: impl Fn(&T) -> bool) -> Result<T, usize> {
    let mut found: Vec<T> = columns.filter(wanted).collect();
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (last, others) => Err(others + usize::from(last.is_some())),
    }
}

/// The column at `leaf`, where it is a list of numbers, in any of the ways in which lists are written: the repeated level may be the number
/// itself, or a group with the number alone in it, and either in a group with the list's name.
fn vector_column(schema: &SchemaDescriptor, leaf: usize) -> Option<VectorColumn> {
    let column = schema.column(leaf);
    let dtype = number(&column)?;
    let mut level = schema.get_column_root(leaf);
    let (mut depth, mut element) = (0, defines(level));
    while repetition(level) != Some(Repetition::REPEATED) {
        depth += 1;
        level = child(level, column.path().parts().get(depth)?)?;
        element += defines(level);
    }
    let alone = |group: &Type| group.get_fields().len() == 1 && group.get_fields()[0].is_primitive();
    if column.max_rep_level() != 1 || !(level.is_primitive() || alone(level)) {
        return None;
    }
    let name = column.path().parts()[..depth.max(1)].join(".");
    Some(VectorColumn { name, leaf, dtype, element, number: column.max_def_level() })
}

fn id_column(schema: &SchemaDescriptor, leaf: usize) -> Option<IdColumn> {
    let column = schema.column(leaf);
    let (logical, converted) = (column.logical_type_ref(), column.converted_type());
    let fits = match column.physical_type() {
        Physical::BYTE_ARRAY => matches!(logical, None | Some(LogicalType::String | LogicalType::Enum)),
        Physical::INT32 | Physical::INT64 => {
            matches!(logical, None | Some(LogicalType::Integer(_))) && (logical.is_some() || is_whole(converted))
        }
        _ => false,
    };
    let unsigned = match logical {
        Some(LogicalType::Integer(of)) => !of.is_signed,
        _ => matches!(converted, ConvertedType::UINT_32 | ConvertedType::UINT_64),
    };
    let plain = column.max_rep_level() == 0 && column.path().parts().len() == 1 && fits;
    plain.then(|| IdColumn { name: column.name().to_owned(), leaf, unsigned, defined: column.max_def_level() })
}

/// What a column's numbers are stored as here; `None` where they are no floating-point numbers.
fn number(column: &ColumnDescriptor) -> Option<Dtype> {
    match column.physical_type() {
        Physical::FLOAT | Physical::DOUBLE => Some(Dtype::F32),
        Physical::FIXED_LEN_BYTE_ARRAY if column.logical_type_ref() == Some(&LogicalType::Float16) => {
            (column.type_length() == 2).then_some(Dtype::F16)
        }
        _ => None,
    }
}

/// Whether a number without a logical type is a whole one, not a date or a price.
fn is_whole(converted: ConvertedType) -> bool {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    matches!(converted, NONE | INT_8 | INT_16 | INT_32 | INT_64 | UINT_8 | UINT_16 | UINT_32 | UINT_64)
}

fn repetition(level: &Type) -> Option<Repetition> {
    level.get_basic_info().has_repetition().then(|| level.get_basic_info().repetition())
}

/// How many definition levels a level of the schema adds.
fn defines(level: &Type) -> i16 {
    i16::from(matches!(repetition(level), Some(Repetition::OPTIONAL | Repetition::REPEATED)))
}

fn child<'a>(group: &'a Type, name: &str) -> Option<&'a Type> {
    let fields = group.is_group().then(|| group.get_fields())?;
    fields.iter().find(|field| field.name() == name).map(|field| &**field)
}

/// All columns with what they hold.
fn described(schema: &SchemaDescriptor) -> String {
    let described = |leaf: usize| match vector_column(schema, leaf) {
        Some(VectorColumn { name, .. }) => {
            format!("{name} (lists of {})", kind(&schema.column(leaf)))
        }
        None => format!("{} ({})", schema.column(leaf).path().string(), kind(&schema.column(leaf))),
    };
    match schema.num_columns() {
        0 => "none".to_owned(),
        columns => (0..columns).map(described).collect::<Vec<_>>().join(", "),
    }
}

/// What a column holds, in the words of those who write it.
fn kind(column: &ColumnDescriptor) -> String {
    match (column.physical_type(), column.logical_type_ref()) {
        (Physical::BYTE_ARRAY, Some(LogicalType::String)) => "string".to_owned(),
        (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) => "float16".to_owned(),
        (Physical::FLOAT, _) => "float32".to_owned(),
        (Physical::DOUBLE, _) => "float64".to_owned(),
        (physical, _) => physical.to_string().to_lowercase(),
    }
}
