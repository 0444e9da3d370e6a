package avrofile

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/schema"
)

// rawSchema is that of events as they are.
const rawSchema = `{"type":"record","name":"Event","namespace":"io.penstock","fields":[` +
	`{"name":"key","type":["null","bytes"]},` +
	`{"name":"body","type":["null","bytes"]},` +
	`{"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[` +
	`{"name":"key","type":"string"},{"name":"value","type":["null","bytes"]}]}}},` +
	`{"name":"timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},` +
	`{"name":"topic","type":"string"},{"name":"partition","type":"int"},{"name":"offset","type":"long"}]}`

// fileSchema is the text of a schema, with the fields of origin behind its own.
func fileSchema(s *schema.Schema, origin bool) ([]byte, error) {
	var names []string
	if origin {
		names = bodies.Origin()
	}
	if err := s.Root.Distinct(names...); err != nil || !origin {
		return s.Text, err
	}
	var top map[string]json.RawMessage
	var fields []json.RawMessage
	if json.Unmarshal(s.Text, &top) != nil || json.Unmarshal(top["fields"], &fields) != nil {
		return nil, errors.New("with origin: true the top of the schema must be the record itself, with its fields")
	}
	types := []string{`{"type":"long","logicalType":"timestamp-millis"}`, `"string"`, `"int"`, `"long"`}
	for i, name := range names {
		fields = append(fields, json.RawMessage(fmt.Sprintf(`{"name":%q,"type":%s}`, name, types[i])))
	}
	var err error
	if top["fields"], err = json.Marshal(fields); err != nil {
		return nil, err
	}
	return json.Marshal(top)
}
