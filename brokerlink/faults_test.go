package brokerlink_test

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
)

// deny makes the broker refuse all requests for the topic or the group.
func deny(b *brokertest.Broker, what string) (remove func()) {
	f := kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "t", Err: kerr.TopicAuthorizationFailed, Count: -1}
	if what == "group" {
		f = kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator, kmsg.JoinGroup}, Group: "g", Err: kerr.GroupAuthorizationFailed, Count: -1}
	}
	return b.Fake().Fault(f).Remove
}

// lastError is a log that passes on the error of each warning.
type lastError struct {
	said chan string
}

func (l *lastError) logger() *slog.Logger { return slog.New(l) }

func (l *lastError) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (l *lastError) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *lastError) WithGroup(string) slog.Handler                    { return l }

func (l *lastError) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			select {
			case l.said <- a.Value.String():
			default:
			}
		}
		return true
	})
	return nil
}

func split(addr string) (host string, port int32) {
	h, p, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(p)
	return h, int32(n)
}
