// Package look is what the pages of the invoices and of the lab share: a sheet, which each of them follows with one of its
// own, and the icon.
package look

import "embed"

// Files are base.css and icon.svg.
//
//go:embed base.css icon.svg
var Files embed.FS
