// Package registry asks a schema registry for the schemas with which events were written: Confluent's REST interface, which Apicurio, Karapace and Redpanda have too.
//
//	GET /schemas/ids/ID                      {"schema": TEXT, "schemaType": "AVRO", "references": [{"name": …, "subject": S, "version": N}, …]}
//	GET /subjects/S/versions/N               the same, for each schema that it refers to
//	GET /schemas/types                       ["AVRO", …]: is it there?
//
// What a number means never changes, so an answer is kept for ever: in memory, and, if a directory is named, in files, with which an agent starts and goes on while
// the registry is away.
package registry
