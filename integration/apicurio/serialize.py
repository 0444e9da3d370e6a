"""Registers the schemas on the command line, in their order, under one subject each, and prints events of them in hexadecimal, as Confluent's serializer writes
them: serialize.py URL SCHEMA... < EVENTS

Each line of the input is the number of a schema, from 0, and an event in JSON.
"""

import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext


def main():
    client = SchemaRegistryClient({"url": sys.argv[1]})
    context = [SerializationContext(f"events{i}", MessageField.VALUE) for i in range(len(sys.argv) - 2)]
    serializers = [AvroSerializer(client, text) for text in sys.argv[2:]]
    for line in sys.stdin:
        number, event = line.split(" ", 1)
        print(serializers[int(number)](json.loads(event), context[int(number)]).hex())


main()
