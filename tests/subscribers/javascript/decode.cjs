// Decodes records as a subscriber does: reads lines of `<message> <base64>`, and prints each message as a line of JSON.
//
//     node decode.cjs DESCRIPTOR_SET RECORDS
"use strict";

const { readFileSync } = require("node:fs");
const { createFileRegistry, fromBinary, toJsonString } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");

const [descriptorSet, records] = process.argv.slice(2);
const schemas = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptorSet)));

for (const line of readFileSync(records, "ascii").trim().split("\n")) {
  const [name, payload] = line.split(" ");
  const message = schemas.getMessage(name);
  if (message === undefined) {
    throw new Error(`no message ${name}`);
  }
  console.log(toJsonString(message, fromBinary(message, Buffer.from(payload, "base64"))));
}
