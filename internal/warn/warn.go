// Package warn carries what a sink has to say about itself to the fan-out that
// called it, in the context of the call.
package warn

import "context"

type key struct{}

// Context returns a context with which [Send] calls f. f may be called from
// several goroutines at once.
func Context(ctx context.Context, f func(error)) context.Context {
	return context.WithValue(ctx, key{}, f)
}

// Send passes err on to whoever made ctx with [Context], if there is one.
func Send(ctx context.Context, err error) {
	if f, ok := ctx.Value(key{}).(func(error)); ok && err != nil {
		f(err)
	}
}
