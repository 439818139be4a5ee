//go:build !linux

package password

import "time"

// threadTime is a clock, where threads have none of their own.
func threadTime() time.Duration { return time.Duration(time.Now().UnixNano()) }
