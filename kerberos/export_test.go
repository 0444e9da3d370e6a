package kerberos

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Wrapper is one end of an established context.
type Wrapper struct{ w *wrapper }

func NewWrapper(key types.EncryptionKey, acceptor, subkey bool, sendSeq, recvSeq uint64) (*Wrapper, error) {
	w, err := newWrapper(key, acceptor, subkey, sendSeq, recvSeq)
	return &Wrapper{w}, err
}

func (w *Wrapper) Wrap(p []byte, seal bool) ([]byte, error)     { return w.w.wrap(p, seal) }
func (w *Wrapper) Unwrap(token []byte) ([]byte, bool, error)    { return w.w.unwrap(token) }
func FrameToken(id uint16, b []byte) []byte                     { return frameToken(id, b) }
func UnframeToken(token []byte) (uint16, []byte, error)         { return unframeToken(token) }
func ParseOffer(b []byte) (QOP, int, error)                     { return parseOffer(b) }
func ReadReply(b []byte) ([]byte, error)                        { return readReply(bytes.NewReader(b)) }
func FullName(ctx context.Context, r resolver, s string) string { return fullName(ctx, r, s) }

// ConfigView is what a configuration came to.
type ConfigView struct {
	DefaultRealm        string
	ClockSkew, Lifetime time.Duration
	LookupKDC           bool
	Tkt, Tgs            []int32
	KDCs                map[string][]string
	Files               []string
}

func LoadConfig(paths string) (ConfigView, func(host string) string, error) {
	c, err := loadConfig(paths)
	if err != nil {
		return ConfigView{}, nil, err
	}
	lib := c.forLibrary()
	if lib.LibDefaults.UDPPreferenceLimit != 1 || lib.LibDefaults.RenewLifetime != 0 {
		panic("the library's configuration is not what it must be")
	}
	return ConfigView{c.defaultRealm, c.clockSkew, c.lifetime, c.lookupKDC, c.tktEtypes, c.tgsEtypes, c.kdcs, c.files}, c.realmOf, nil
}

// ParseConfig parses one file's bytes without its includes.
func ParseConfig(file string, data []byte) error {
	p := &profile{sections: map[string][]relation{}}
	if err := p.parse(file, data, func(position, bool, string) error { return nil }); err != nil {
		return err
	}
	_, err := interpret(p)
	return err
}

func ParseKeytab(data []byte) error {
	_, err := parseKeytab("fuzz", data, Principal{Primary: "ingest", Realm: "A.TEST"})
	return err
}

func ParseCache(data []byte) error {
	c, err := parseCache(data)
	if err == nil {
		_, err = c.session("fuzz")
	}
	return err
}

// FakeSource is a source of logins without a KDC.
type FakeSource struct {
	Obtain  func(ctx context.Context) (life time.Duration, err error)
	Changed func() bool
	Watched bool // like a cache, it is only renewed when changed
}

func (f FakeSource) obtain(ctx context.Context) (*session, error) {
	life, err := f.Obtain(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &session{since: now, tgt: serviceTicket{start: now, end: now.Add(life)}}, nil
}

func (f FakeSource) changed() bool { return f.Changed != nil && f.Changed() }

func (f FakeSource) renewAt(s *session) time.Time {
	if f.Watched {
		return time.Time{}
	}
	return (&keytabSource{}).renewAt(s)
}

func (f FakeSource) String() string { return "fake" }

func NewLoginFrom(f FakeSource, log *slog.Logger) *Login {
	return newLogin(Principal{Primary: "ingest", Realm: "EXAMPLE.TEST"}, f, log)
}

// AccountRefusal is a failure that counts against the account.
func AccountRefusal() error {
	return &refusal{kind: ErrBadKeytab, text: "preauth failed", account: true}
}

// SetFresh says how long a service ticket is used without asking for another.
func (l *Login) SetFresh(d time.Duration) { l.kdcs.fresh = d }

// OpenReply treats bytes as a KDC's answer to a login of ingest with an AES key.
func OpenReply(data []byte, key types.EncryptionKey, only *keytab.Keytab) error {
	conf, err := interpret(&profile{})
	if err != nil {
		return err
	}
	p := Principal{Primary: "ingest", Realm: "EXAMPLE.TEST"}
	keys := clientKeys{path: "fuzz", keys: []clientKey{{key: key, kvno: 1, only: only}}}
	request, err := messages.NewASReqForTGT(p.Realm, conf.forLibrary(), p.name())
	if err != nil {
		return err
	}
	k := &kdcs{conf: conf}
	a := answer{data: data, from: "fuzz"}
	if a.err, err = krbError(data); err != nil {
		return err
	}
	if a.err != nil {
		preauthKey(keys, []int32{key.KeyType}, a.err)
		_ = ticketRefused(p.name(), a)
		return k.loginRefused(p, keys, a)
	}
	_, err = k.loggedIn(p, keys, request, a)
	return err
}

// OnlyKey makes a keytab of one key of ingest.
func OnlyKey(key types.EncryptionKey) *keytab.Keytab {
	kt := keytab.New()
	if err := kt.AddEntry("ingest", "EXAMPLE.TEST", "password", time.Unix(1, 0), 1, key.KeyType); err != nil {
		panic(err)
	}
	kt.Entries[0].Key = key
	return kt
}

// NewMutualExchange is a mutual exchange with a ticket of no worth, whose first token has been sent.
func NewMutualExchange(key types.EncryptionKey) (Exchange, error) {
	s := &session{principal: Principal{Primary: "ingest", Realm: "EXAMPLE.TEST"}}
	t := serviceTicket{key: key}
	t.ticket.SName = krbtgt("EXAMPLE.TEST")
	x := newInitiator(s, SPN{Service: "kafka", Host: "localhost"}, t, true)
	_, _, err := x.Step(nil)
	return x, err
}
