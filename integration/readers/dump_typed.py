"""Prints the rows of a Parquet or Avro file with typed columns as JSON lines: dump_typed.py pyarrow|duckdb|fastavro FILE

Values are tagged as package typedevents tags what it expects. The columns kafka_* are left out.
"""

import datetime
import decimal
import json
import struct
import sys

EPOCH = datetime.datetime(1970, 1, 1)


def micros(delta):
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def plain(value):
    """A value that is the same for both readers."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return "text:" + value
    if isinstance(value, (bytes, bytearray)):
        return "hex:" + value.hex()
    if isinstance(value, float):
        return "float:" + struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return "decimal:" + format(value, "f")
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return f"at:{micros(value - EPOCH) * 1000}"
    if isinstance(value, datetime.date):
        return f"date:{(value - EPOCH.date()).days}"
    if isinstance(value, datetime.time):
        since = datetime.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
        return f"time:{micros(since) * 1000}"
    raise TypeError(f"{type(value)}: {value!r}")


def arrow(scalar):
    import pyarrow as pa

    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pa.types.is_struct(kind):
        return {name: arrow(scalar[name]) for name in (kind.field(i).name for i in range(kind.num_fields))}
    if pa.types.is_map(kind):
        return [[arrow(entry["key"]), arrow(entry["value"])] for entry in scalar.values]
    if pa.types.is_list(kind):
        return [arrow(element) for element in scalar.values]
    if pa.types.is_timestamp(kind):
        return f"at:{scalar.value * {'ms': 1_000_000, 'us': 1_000, 'ns': 1}[kind.unit]}"
    if pa.types.is_decimal(kind):
        return plain(scalar.as_py().quantize(decimal.Decimal(1).scaleb(-kind.scale), context=decimal.Context(prec=50)))
    return plain(scalar.as_py())


def from_pyarrow(path):
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches():
        columns = [(n, batch.column(i)) for i, n in enumerate(batch.schema.names) if not n.startswith("kafka_")]
        for i in range(batch.num_rows):
            yield {name: arrow(column[i]) for name, column in columns}


def from_duckdb(path):
    import duckdb

    def value(v, kind):
        if v is None:
            return None
        if kind.id == "struct":
            return {name: value(v[name], child) for name, child in kind.children}
        if kind.id == "list":
            return [value(element, kind.children[0][1]) for element in v]
        if kind.id == "map":
            (_, key), (_, held) = kind.children
            return [[value(k, key), value(held_value, held)] for k, held_value in v.items()]
        return plain(v)

    duckdb.execute("SET TimeZone = 'UTC'")
    found = duckdb.from_parquet(path).project("* EXCLUDE (kafka_timestamp, kafka_topic, kafka_partition, kafka_offset)")
    for row in found.fetchall():
        yield {name: value(v, kind) for name, kind, v in zip(found.columns, found.types, row)}


class At(str):
    """A time that is tagged already."""


def from_fastavro(path):
    import fastavro
    from fastavro.read import LOGICAL_READERS

    def raw(name, unit):
        LOGICAL_READERS[name] = lambda number, *_: At(f"at:{number * unit}")

    for name, unit in (("millis", 1_000_000), ("micros", 1_000), ("nanos", 1)):  # its own types have no nanoseconds
        raw(f"long-timestamp-{name}", unit)
        raw(f"long-local-timestamp-{name}", unit)
    LOGICAL_READERS["string-uuid"] = lambda text, *_: text
    named = {}

    def value(v, kind):
        if isinstance(kind, list):
            return None if v is None else value(v, next(k for k in kind if k != "null"))
        if isinstance(kind, str):
            return value(v, named[kind]) if kind in named else plain(v)
        if kind["type"] in ("record", "error"):
            return {field["name"]: value(v[field["name"]], field["type"]) for field in kind["fields"]}
        if kind["type"] == "array":
            return [value(element, kind["items"]) for element in v]
        if kind["type"] == "map":
            return [["text:" + key, value(held, kind["values"])] for key, held in v.items()]
        if kind.get("logicalType") == "decimal":
            return plain(v.quantize(decimal.Decimal(1).scaleb(-kind["scale"]), context=decimal.Context(prec=50)))
        return v if isinstance(v, At) else plain(v)

    with open(path, "rb") as file:
        rows = fastavro.reader(file)
        schema = fastavro.parse_schema(rows.writer_schema, named_schemas=named)
        for row in rows:
            event = value(row, schema)
            yield {name: v for name, v in event.items() if not name.startswith("kafka_")}


def main():
    for row in {"pyarrow": from_pyarrow, "duckdb": from_duckdb, "fastavro": from_fastavro}[sys.argv[1]](sys.argv[2]):
        print(json.dumps(row))


main()
