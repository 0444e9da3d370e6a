"""Prints the rows of Parquet files as JSON lines, one reader at a time: dump.py pyarrow|duckdb FILE...

Bytes are in hexadecimal, null is null, headers a list of pairs, the timestamp Unix milliseconds.
"""

import json
import sys

COLUMNS = ["key", "body", "headers", "timestamp", "topic", "partition", "offset"]


def as_hex(value):
    return None if value is None else bytes(value).hex()


def text(value):
    return value if isinstance(value, str) else bytes(value).decode()


def from_pyarrow(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches():
        at = batch.schema.get_field_index("timestamp")
        assert batch.schema.field(at).type == pa.timestamp("ms", tz="UTC"), batch.schema
        columns = [batch.column(c) for c in COLUMNS]
        columns[3] = columns[3].cast(pa.int64())  # Python's dates end with the year 9999
        yield from zip(*(c.to_pylist() for c in columns))


def from_duckdb(path):
    import duckdb

    query = """SELECT key, body, map_keys(headers), map_values(headers), epoch_ms(timestamp), topic, partition, "offset" FROM read_parquet(?)"""
    for key, body, names, values, *rest in duckdb.execute(query, [path]).fetchall():
        yield (key, body, list(zip(names, values)), *rest)


def main():
    read = {"pyarrow": from_pyarrow, "duckdb": from_duckdb}[sys.argv[1]]
    for path in sys.argv[2:]:
        for key, body, headers, timestamp, topic, partition, offset in read(path):
            print(json.dumps({
                "key": as_hex(key), "body": as_hex(body), "headers": [[text(k), as_hex(v)] for k, v in headers],
                "timestamp": timestamp, "topic": topic, "partition": partition, "offset": offset,
            }))


main()
