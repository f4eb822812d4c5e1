package anomalyprocessor

import (
	"errors"
	"fmt"
	"time"
)

// AgentsConfig tunes the search for runaway agents.
type AgentsConfig struct {
	// Enabled switches the search on or off. Default true.
	Enabled bool `mapstructure:"enabled"`
	// Repetitions is the number of equal tool calls (same tool, arguments and
	// result) among the last 10 of a conversation that make a loop, 3..10; two
	// more are asked for where results are not in the telemetry. Default 3.
	Repetitions int `mapstructure:"repetitions"`
	// IgnoreTools names tools that may repeat, such as those that poll.
	IgnoreTools []string `mapstructure:"ignore_tools"`
	// MinCalls and MinTokens are the sizes below which a conversation is not
	// reported as larger than normal. Units: calls, tokens. Defaults 50 and
	// 200000.
	MinCalls  int64 `mapstructure:"min_calls"`
	MinTokens int64 `mapstructure:"min_tokens"`
	// MaxConversations is the most conversations that are watched, 64..4194304,
	// about 60 bytes each and 1 KB for those with tools. Default 16384.
	MaxConversations int `mapstructure:"max_conversations"`
	// IdleTimeout is the time without a call, by this machine's clock, after
	// which a conversation has ended, at least 1s. Default 15m.
	IdleTimeout time.Duration `mapstructure:"idle_timeout"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func defaultAgents() AgentsConfig {
	return AgentsConfig{
		Enabled: true, Repetitions: 3, MinCalls: 50, MinTokens: 200_000,
		MaxConversations: 16384, IdleTimeout: 15 * time.Minute,
	}
}

func (c *AgentsConfig) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Repetitions < 3 || c.Repetitions > loopWindow {
		fail("agents::repetitions must be in 3..%d, got %d", loopWindow, c.Repetitions)
	}
	if c.MinCalls < 2 {
		fail("agents::min_calls must be 2 or more, got %d", c.MinCalls)
	}
	if c.MinTokens < 1 {
		fail("agents::min_tokens must be 1 or more, got %d", c.MinTokens)
	}
	if c.MaxConversations < 64 || c.MaxConversations > 1<<22 {
		fail("agents::max_conversations must be in 64..4194304, got %d", c.MaxConversations)
	}
	if c.IdleTimeout < time.Second {
		fail("agents::idle_timeout must be 1s or longer, got %v", c.IdleTimeout)
	}
	return errors.Join(errs...)
}
