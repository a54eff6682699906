"""Decodes records as a subscriber does: reads lines of `<message> <base64>`, and prints each message as a line of JSON.

    python decode.py DESCRIPTOR_SET RECORDS
"""

import base64
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.internal import api_implementation

# The runtime that comes from PyPI, and the one of Ruby and PHP; the others are more lenient.
assert api_implementation.Type() == "upb", api_implementation.Type()

descriptor_set, records = sys.argv[1:]
pool = descriptor_pool.DescriptorPool()
with open(descriptor_set, "rb") as file:
    for schema in descriptor_pb2.FileDescriptorSet.FromString(file.read()).file:
        pool.Add(schema)

with open(records, encoding="ascii") as file:
    for line in file:
        name, payload = line.rstrip("\n").split(" ")
        message = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        decoded = message.FromString(base64.b64decode(payload))
        print(json_format.MessageToJson(decoded, indent=None))
