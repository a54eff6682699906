// Decodes records as a subscriber does: reads lines of `<message> <base64>`, and prints each message as a line of JSON.
//
//	decode DESCRIPTOR_SET RECORDS
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(descriptorSet, records string) error {
	schemas, err := load(descriptorSet)
	if err != nil {
		return err
	}
	lines, err := os.ReadFile(records)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, line := range strings.Split(strings.TrimSpace(string(lines)), "\n") {
		text, err := decode(schemas, line)
		if err != nil {
			return fmt.Errorf("%.60s…: %w", line, err)
		}
		fmt.Fprintln(out, text)
	}
	return out.Flush()
}

func load(path string) (*protoregistry.Files, error) {
	encoded, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(encoded, set); err != nil {
		return nil, err
	}
	return protodesc.NewFiles(set)
}

func decode(schemas *protoregistry.Files, line string) (string, error) {
	name, payload, _ := strings.Cut(line, " ")
	found, err := schemas.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return "", err
	}
	encoded, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return "", err
	}
	message := dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
	if err := proto.Unmarshal(encoded, message); err != nil {
		return "", err
	}
	text, err := protojson.Marshal(message)
	return string(text), err
}
