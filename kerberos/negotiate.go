package kerberos

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
)

// HTTP is the service of a host's web server. The host's name in lower case and without a final dot is what keytabs of web servers have.
func HTTP(host string) SPN {
	return SPN{Service: "HTTP", Host: strings.TrimSuffix(strings.ToLower(host), ".")}
}

// Negotiate returns what follows `Authorization: Negotiate ` in a request to a host's web server (RFC 4559): a SPNEGO token (RFC 4178) that offers Kerberos alone and has its first token
// with it, in base64. A new one is needed for each request. The server is proved by its certificate, not by the token that it may return.
//
//	60 LEN  06 06 2b 06 01 05 05 02            SPNEGO
//	a0 LEN  30 LEN                             NegTokenInit
//	  a0 LEN  30 LEN  06 09 2a 86 48 86 f7 12 01 02 02     mechTypes: Kerberos 5
//	  a2 LEN  04 LEN  token                                mechToken
func Negotiate(ctx context.Context, c Credential, host string) (string, error) {
	spn := HTTP(host)
	exchange, err := c.Initiate(ctx, spn)
	if err != nil {
		return "", fmt.Errorf("log in to %s: %w", spn, err)
	}
	token, _, err := exchange.Step(nil)
	if err != nil {
		return "", fmt.Errorf("log in to %s: %w", spn, err)
	}
	spnego := []byte{0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}
	krb5 := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}
	offer := der(0x30, append(der(0xa0, der(0x30, krb5)), der(0xa2, der(0x04, token))...))
	return base64.StdEncoding.EncodeToString(der(0x60, append(spnego, der(0xa0, offer)...))), nil
}

// der is a value with its tag and length.
func der(tag byte, value []byte) []byte {
	return append(append([]byte{tag}, derLength(len(value))...), value...)
}
