package conf

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// joinAddresses mends what the library makes of {brokers: [broker1:9093]}: inside braces it takes every colon for the end of
// a key, where YAML wants a blank behind it. In a list no key can be meant, so there the address is put together again.
func joinAddresses(tokens token.Tokens) token.Tokens {
	out := make(token.Tokens, 0, len(tokens))
	var open []token.Type
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			open = append(open, t.Type)
		case token.MappingEndType, token.SequenceEndType:
			open = open[:max(0, len(open)-1)]
		case token.MappingValueType:
			inList := len(open) > 0 && open[len(open)-1] == token.SequenceStartType
			if inList && len(out) > 0 && i+1 < len(tokens) && adjoins(out[len(out)-1], t) && adjoins(t, tokens[i+1]) {
				out[len(out)-1] = joined(out[len(out)-1], t, tokens[i+1])
				i++
				continue
			}
		default:
		}
		out = append(out, t)
	}
	for i, t := range out {
		t.Prev, t.Next = nil, nil
		if i > 0 {
			t.Prev, out[i-1].Next = out[i-1], t
		}
	}
	return out
}

// adjoins reports whether b begins where a ends, both being plain text or the colon.
func adjoins(a, b *token.Token) bool {
	return plain(a) && plain(b) && a.Position.Line == b.Position.Line && a.Position.Column+utf8.RuneCountInString(a.Value) == b.Position.Column
}

func plain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.OctetIntegerType, token.HexIntegerType, token.BinaryIntegerType,
		token.BoolType, token.MappingValueType:
		return true
	default:
		return false
	}
}

func joined(a, colon, b *token.Token) *token.Token {
	return &token.Token{
		Type: token.StringType, CharacterType: token.CharacterTypeMiscellaneous, Indicator: token.NotIndicator,
		Value: a.Value + colon.Value + b.Value, Origin: a.Origin + colon.Origin + b.Origin, Position: a.Position,
	}
}
