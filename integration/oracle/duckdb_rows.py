"""Writes file, topic, partition, offset and body (base64) of every row of the Parquet files that a glob finds: duckdb_rows.py GLOB OUT."""

import sys

import duckdb

pattern, out = (a.replace("'", "''") for a in sys.argv[1:])
connection = duckdb.connect()
connection.execute("SET preserve_insertion_order = true")
connection.execute(f"""
    COPY (SELECT filename, topic, partition, "offset", coalesce(base64(body), '') FROM read_parquet('{pattern}', filename = true))
    TO '{out}' (FORMAT csv, DELIMITER '\t', HEADER false, QUOTE '', ESCAPE '')
""")
