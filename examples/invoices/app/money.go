package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/input"
)

// Cents is an amount of money. From a form it takes "12", "12.5" and "12.50", above zero and up to a million.
type Cents int64

// MostCents is the largest amount that a form takes.
const MostCents Cents = 1_000_000_00

// UnmarshalText reads an amount. The error is an [*input.Fault].
func (c *Cents) UnmarshalText(text []byte) error {
	fault := &input.Fault{Code: "amount", Detail: "Write an amount such as 12.50, above 0 and up to 1000000."}
	whole, part, dotted := strings.Cut(string(text), ".")
	if len(part) > 2 || dotted && part == "" || len(whole) > 7 {
		return fault
	}
	n, err := strconv.ParseUint(whole+part+"00"[len(part):], 10, 63)
	if err != nil || n == 0 || Cents(n) > MostCents {
		return fault
	}
	*c = Cents(n)
	return nil
}

// String is the amount with two places and its currency: "1,234.50 €".
func (c Cents) String() string {
	digits := strconv.FormatInt(int64(c)/100, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return fmt.Sprintf("%s.%02d €", digits, int64(c)%100)
}

// Plain is the amount for programs: "1234.50".
func (c Cents) Plain() string { return fmt.Sprintf("%d.%02d", int64(c)/100, int64(c)%100) }

// Day is a date as forms send it: "2026-03-12".
type Day string

// UnmarshalText reads a date. The error is an [*input.Fault].
func (d *Day) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.DateOnly, string(text))
	if err != nil || at.Year() < 2000 || at.Year() > 2100 {
		return &input.Fault{Code: "date", Detail: "Write a date such as 2026-03-12."}
	}
	*d = Day(text)
	return nil
}

// String is the date for people: "12 March 2026".
func (d Day) String() string {
	at, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return string(d)
	}
	return at.Format("2 January 2006")
}

// ISO is the date for programs: "2026-03-12".
func (d Day) ISO() string { return string(d) }
