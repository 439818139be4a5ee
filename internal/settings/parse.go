package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/password"
)

// parse reads text into the field that into points to. Its errors complete the sentence "the value …" and never repeat it.
func parse(text string, into any) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("holds a control character")
	}
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return errors.New("is empty")
	}
	var err error
	switch into := into.(type) {
	case *string:
		*into = trimmed
	case *secret.Text:
		*into = secret.NewText(trimmed)
	case *[]string:
		*into, err = parseList(trimmed)
	case *[]netip.Prefix:
		*into, err = parseNetworks(trimmed)
	case *int:
		*into, err = parseNumber(trimmed)
	case *time.Duration:
		*into, err = parseDuration(trimmed)
	case *Bytes:
		*into, err = parseBytes(trimmed)
	case *Limit:
		*into, err = parseLimit(trimmed)
	case *Limits:
		*into, err = parseLimits(trimmed)
	case *slog.Level:
		*into, err = parseLevel(trimmed)
	case *password.Params:
		*into, err = password.ParseParams(trimmed)
	default:
		err = fmt.Errorf("has a type that cannot be read: %T", into)
	}
	return err
}

func parseList(text string) ([]string, error) {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			return nil, errors.New("has an empty entry")
		}
		list = append(list, item)
	}
	return list, nil
}

func parseNetworks(text string) ([]netip.Prefix, error) {
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	networks := make([]netip.Prefix, len(list))
	for i, item := range list {
		if networks[i], err = parseNetwork(item); err != nil {
			return nil, err
		}
	}
	return networks, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errors.New("has an entry that is neither an address nor a network")
	}
	if network.Masked() != network {
		return netip.Prefix{}, errors.New("has a network with bits set beyond its length")
	}
	return network, nil
}

func parseNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("is not a number above zero")
	}
	return n, nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("is not a duration above zero")
	}
	return d, nil
}

func parseBytes(text string) (Bytes, error) {
	unit := int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSpace(number), 1<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return 0, errors.New("is not a size above zero")
	}
	return Bytes(n * unit), nil
}

func parseLimit(text string) (Limit, error) {
	if text == "off" {
		return Limit{}, nil
	}
	count, per, ok := strings.Cut(text, "/")
	if !ok {
		return Limit{}, errors.New("is not a limit")
	}
	n, err := parseNumber(count)
	if err != nil {
		return Limit{}, errors.New("is not a limit")
	}
	d, err := parseDuration(per)
	if err != nil {
		return Limit{}, errors.New("is not a limit")
	}
	return Limit{Count: n, Per: d}, nil
}

func parseLimits(text string) (Limits, error) {
	if text == "off" {
		return nil, nil
	}
	list, err := parseList(text)
	if err != nil {
		return nil, err
	}
	limits := make(Limits, len(list))
	for i, item := range list {
		if limits[i], err = parseLimit(item); err != nil || limits[i] == (Limit{}) {
			return nil, errors.New("is not a list of limits")
		}
	}
	return limits, nil
}

func parseLevel(text string) (slog.Level, error) {
	switch text {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, errors.New("is none of debug, info, warn and error")
}
