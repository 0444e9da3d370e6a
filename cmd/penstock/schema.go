package main

import (
	"github.com/spf13/cobra"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of the configuration, for editors and CI",
		Example: "  penstock schema > penstock.schema.json\n  # first line of a configuration: # yaml-language-server: $schema=penstock.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := kinds().Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(s)
			return err
		},
	}
}
