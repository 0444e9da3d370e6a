package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// Secret is a reference to something that must not be seen: a password, a token. In the file it is `file:PATH`, `env:NAME` or
// `credential:NAME` (a file in $CREDENTIALS_DIRECTORY, which systemd fills); the secret itself is never written there.
// No method but Reveal shows what it refers to.
type Secret struct {
	ref reference
}

// FileRef is a file whose content matters and may be swapped while the agent runs: a keytab, a certificate, a schema. In the
// file it is `file:PATH`, `credential:NAME`, or a path by itself; a relative path starts at the configuration file's folder.
type FileRef struct {
	ref reference
}

// reference is a scheme and what follows it.
type reference struct {
	scheme string // file, env or credential; "" refers to nothing
	name   string
	dir    string // where a relative path starts
}

// maxSecret is more than any password, token or private key has.
const maxSecret = 64 << 10

const secretMask = "(secret)"

// isReference tells text that names where a secret is from text that may be one.
func isReference(text string) bool {
	scheme, name, ok := strings.Cut(text, ":")
	return ok && name != "" && (scheme == "file" || scheme == "env" || scheme == "credential")
}

// NewSecret is a reference as in the file, for programs: `file:/run/password`. A relative path starts at the working directory.
func NewSecret(ref string) (Secret, error) {
	var s Secret
	err := s.SetConf(Scalar{Text: ref})
	return s, err
}

// SetConf implements Value. Its errors never quote the text: it may be the secret.
func (s *Secret) SetConf(v Scalar) error {
	if !isReference(v.Text) {
		return &Problem{
			What: "a secret is not written into the configuration",
			Fix:  "put it into a file that only the agent's user can read, and write file:/path/of/that/file (or env:NAME, or credential:NAME with systemd's LoadCredential)",
		}
	}
	scheme, name, _ := strings.Cut(v.Text, ":")
	if scheme == "credential" && name != filepath.Base(name) {
		return &Problem{What: "a credential is named without slashes", Fix: "write credential:NAME as in LoadCredential=NAME:PATH of the unit"}
	}
	s.ref = reference{scheme, name, v.Dir}
	return nil
}

// SchemaConf implements Value.
func (s *Secret) SchemaConf() Fragment {
	return Fragment{"type": "string", "pattern": "^(file|env|credential):.+$", "examples": []any{"file:/etc/penstock/password"}}
}

// Reveal reads the secret, each time anew, so that one that was replaced is seen. One line end is cut off. It blocks for as
// long as the file system does.
func (s Secret) Reveal() ([]byte, error) {
	if s.ref.scheme == "env" {
		value, ok := os.LookupEnv(s.ref.name)
		if !ok || value == "" {
			return nil, fmt.Errorf("read secret: the environment variable %s is not set", s.ref.name)
		}
		return []byte(value), nil
	}
	path, err := s.ref.path()
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read secret: %w", err)
	case len(data) > maxSecret:
		return nil, fmt.Errorf("read secret: %s has more than %s; is it the right file?", path, Size(maxSecret))
	}
	data = bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(data) == 0 {
		return nil, fmt.Errorf("read secret: %s is empty", path)
	}
	return data, nil
}

// IsZero reports whether nothing is referred to.
func (s Secret) IsZero() bool { return s.ref.scheme == "" }

// Equal reports whether both refer to the same place.
func (s Secret) Equal(t Secret) bool { return s.ref == t.ref }

// String is a mask.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return secretMask
}

// GoString is a mask.
func (s Secret) GoString() string { return "conf.Secret{" + s.String() + "}" }

// Format masks every verb: without it %d or %x would print the fields.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = io.WriteString(f, s.GoString())
		return
	}
	_, _ = io.WriteString(f, s.String())
}

// LogValue is a mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is a mask; JSON and YAML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// NewFileRef is a reference as in the file, for programs.
func NewFileRef(ref string) (FileRef, error) {
	var f FileRef
	err := f.SetConf(Scalar{Text: ref})
	return f, err
}

// SetConf implements Value.
func (f *FileRef) SetConf(v Scalar) error {
	scheme, name, ok := strings.Cut(v.Text, ":")
	switch {
	case v.Text == "":
		return &Problem{What: "the value is empty", Fix: "write file:/path/of/the/file"}
	case !ok || strings.Contains(scheme, "/"):
		scheme, name = "file", v.Text
	case scheme == "FILE": // as in krb5.conf
		scheme = "file"
	}
	switch {
	case scheme != "file" && scheme != "credential":
		return &Problem{What: fmt.Sprintf("a file is not named with %q", clip(scheme)+":"), Fix: "write file:/path/of/the/file, or credential:NAME with systemd's LoadCredential"}
	case strings.HasPrefix(name, "//"):
		return &Problem{What: "file: takes a path, not a URL", Fix: "write file:" + "/" + strings.TrimLeft(clip(name), "/")}
	case name == "":
		return &Problem{What: "the name of the file is missing", Fix: "write " + scheme + ":NAME"}
	case scheme == "credential" && name != filepath.Base(name):
		return &Problem{What: "a credential is named without slashes", Fix: "write credential:NAME as in LoadCredential=NAME:PATH of the unit"}
	}
	f.ref = reference{scheme, name, v.Dir}
	return nil
}

// SchemaConf implements Value.
func (f *FileRef) SchemaConf() Fragment {
	return Fragment{"type": "string", "minLength": 1, "examples": []any{"file:/etc/security/keytabs/ingest.keytab", "credential:keytab"}}
}

// Path is where the file is, "" if none is named. It does not look whether there is one. The error is a credential without
// $CREDENTIALS_DIRECTORY.
func (f FileRef) Path() (string, error) {
	if f.IsZero() {
		return "", nil
	}
	return f.ref.path()
}

// IsZero reports whether nothing is referred to.
func (f FileRef) IsZero() bool { return f.ref.scheme == "" }

// Equal reports whether both refer to the same place.
func (f FileRef) Equal(g FileRef) bool { return f.ref == g.ref }

// String is the reference with its scheme.
func (f FileRef) String() string {
	if f.IsZero() {
		return ""
	}
	return f.ref.scheme + ":" + f.ref.name
}

// MarshalText is String.
func (f FileRef) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

func (r reference) path() (string, error) {
	switch {
	case r.scheme == "":
		return "", errors.New("nothing is referred to")
	case r.scheme == "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("credential:%s needs $CREDENTIALS_DIRECTORY, which systemd sets for a unit with LoadCredential=%s:PATH", r.name, r.name)
		}
		return filepath.Join(dir, r.name), nil
	case filepath.IsAbs(r.name):
		return r.name, nil
	default:
		return filepath.Join(r.dir, r.name), nil
	}
}
