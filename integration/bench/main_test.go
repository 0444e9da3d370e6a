//go:build integration

package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// The environment of a child: which part it plays, and its plan.
const (
	roleVar = "PENSTOCK_BENCH_ROLE"
	planVar = "PENSTOCK_BENCH_PLAN"
)

// TestMain makes this binary play a part of a benchmark when a benchmark has started it.
func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := play(ctx, role, []byte(os.Getenv(planVar)))
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
		os.Exit(1)
	}
}

// play runs a part until it is over. What it has to say is one line of JSON on standard output.
func play(ctx context.Context, role string, plan []byte) error {
	switch role {
	case "broker":
		return as(ctx, plan, playBroker)
	case "consume":
		return as(ctx, plan, playConsume)
	case "encode":
		return as(ctx, plan, playEncode)
	case "typed":
		return as(ctx, plan, playTyped)
	case "frames":
		return as(ctx, plan, playFrames)
	default:
		return fmt.Errorf("no such role")
	}
}

func as[P any](ctx context.Context, plan []byte, part func(context.Context, P) error) error {
	var p P
	if err := json.Unmarshal(plan, &p); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	return part(ctx, p)
}

func say(v any) error { return json.NewEncoder(os.Stdout).Encode(v) }
