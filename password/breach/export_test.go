package breach

import (
	"context"
	"io"
)

// BuildInRuns is [Build] of passwords with so many keys in memory at a time.
func BuildInRuns(ctx context.Context, in io.Reader, out string, most int) (Built, error) {
	return build(ctx, in, Text, out, builder{most: most})
}
