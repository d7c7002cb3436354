"""Writes the vector files of this folder: the same 300 rows of 4 numbers as each tool writes them, and files that must be refused.

Usage: python make.py   (numpy, pyarrow, pandas, polars, datasets; the versions are in README.md)
"""

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROWS, DIM = 300, 4
rng = np.random.default_rng(20)
# Sixty-fourths, so that the same numbers are exact in 16, 32 and 64 bits.
rows = (rng.integers(-64, 65, (ROWS, DIM)) / 64).astype(np.float32)
ids = [f"d{i}-ä" for i in range(ROWS)]
numbers = [7 * i - 900 for i in range(ROWS)]

np.save("rows.npy", rows)
np.save("rows16.npy", rows.astype(np.float16))
open("ids.txt", "w").write("".join(f"{i}\n" for i in ids))
open("numbers.txt", "w").write("".join(f"{i}\n" for i in numbers))


def lists(of, numbers=rows):
    return pa.array(list(numbers.astype(of.to_pandas_dtype())), pa.list_(of))


def write(name, columns, **options):
    pq.write_table(pa.table(columns), f"{name}.parquet", **options)


# pyarrow: lists as it writes them by default, in three row groups; fixed sizes; other encodings, pages and codecs.
write("pyarrow", {"id": ids, "text": ids, "vector": lists(pa.float32())}, row_group_size=128)
fixed = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), DIM)
write("pyarrow_fixed", {"id": pa.array(numbers), "vector": fixed}, compression="gzip", data_page_version="2.0", data_page_size=512)
write(
    "pyarrow_item",
    {"_id": ids, "vector": lists(pa.float32())},
    use_compliant_nested_type=False,
    compression="none",
    use_dictionary=False,
    column_encoding={"_id": "DELTA_BYTE_ARRAY", "vector.list.item": "BYTE_STREAM_SPLIT"},
)
write("pyarrow_f64", {"docid": pa.array(numbers, pa.int16()), "vector": lists(pa.float64())}, compression="zstd")
write("pyarrow_f16", {"id": ids, "vector": lists(pa.float16())})
required = pa.schema([
    pa.field("id", pa.string(), nullable=False),
    pa.field("vector", pa.list_(pa.field("element", pa.float32(), nullable=False)), nullable=False),
])
pq.write_table(pa.table({"id": ids, "vector": lists(pa.float32())}).cast(required), "pyarrow_required.parquet")
several = {"key": ids, "id": numbers, "doc_id": ids, "title": lists(pa.float32(), rows[::-1]), "body": lists(pa.float32())}
write("several", several)
nested = pa.StructArray.from_arrays([lists(pa.float32())], ["dense"])
write("nested", {"id": ids, "vectors": nested})

pd.DataFrame({"doc_id": ids, "vector": list(rows)}).to_parquet("pandas.parquet")
pl.DataFrame({"id": ids, "vector": rows.tolist()}, schema={"id": pl.String, "vector": pl.List(pl.Float32)}).write_parquet("polars.parquet")
pl.DataFrame({"id": ids, "vector": rows}, schema={"id": pl.String, "vector": pl.Array(pl.Float32, DIM)}).write_parquet("polars_array.parquet")
features = datasets.Features({"id": datasets.Value("string"), "vector": datasets.List(datasets.Value("float32"), length=DIM)})
datasets.Dataset.from_dict({"id": ids, "vector": rows.tolist()}, features=features).to_parquet("datasets.parquet")


# What must be refused; the row at fault is row 2 of four.
def refused(name, vectors, ids=("a", "b", "c", "d"), of=pa.float32(), **options):
    write(f"bad_{name}", {"id": pa.array(ids), "vector": pa.array(vectors, pa.list_(of))}, **options)


good = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]
refused("null_row", [good[0], good[1], None, good[3]])
refused("empty_row", [good[0], good[1], [], good[3]])
refused("null_number", [good[0], good[1], [5.0, None], good[3]])
refused("nan", [good[0], good[1], [5.0, float("nan")], good[3]])
refused("beyond_f32", [good[0], good[1], [5.0, 1e300], good[3]], of=pa.float64())
refused("ragged", [good[0], good[1], [5.0], good[3]])
refused("id_twice", good, ("a", "b", "a", "d"))
refused("id_null", good, ("a", "b", None, "d"))
refused("id_empty", good, ("a", "b", "", "d"))
refused("id_bytes", good, (b"a", b"b", b"\xff", b"d"))
refused("no_rows", [], pa.array([], pa.string()))
refused("lz4", good, compression="lz4")
refused("brotli", good, compression="brotli")
refused("whole_numbers", [[1, 2]] * 4, of=pa.int32())
write("bad_no_ids", {"vector": pa.array(good, pa.list_(pa.float32())), "text": list("abcd"), "when": pa.array([1, 2, 3, 4], pa.date32())})
