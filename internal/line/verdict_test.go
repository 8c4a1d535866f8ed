package line_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fapilog/fapilog/internal/line"
	"github.com/fapilog/fapilog/internal/verdict"
)

// A meaning is what an error of the operating system means.
type meaning struct {
	err          error
	kind         verdict.Kind
	soon         bool // try again soon
	gone, hungUp bool
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, want := range meanings {
		err := fmt.Errorf("write: %w", want.err)
		kind, after, _ := verdict.Of(line.Verdict(err))
		require.Equal(t, want, meaning{want.err, kind, after > 0, line.Gone(err), line.HungUp(err)})
	}
}
