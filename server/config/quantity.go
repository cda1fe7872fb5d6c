package config

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Its text is a number with an optional unit k, m or g (powers of 1024,
// upper case and Ki, Mi, Gi too), as nginx writes sizes: "64k", "8m", "0".
type Size int64

// ParseSize reads the text of a Size.
func ParseSize(s string) (Size, error) {
	digits := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "i")
	shift := 0
	if digits != "" {
		switch digits[len(digits)-1] {
		case 'k':
			shift = 10
		case 'm':
			shift = 20
		case 'g':
			shift = 30
		}
	}
	if shift > 0 {
		digits = digits[:len(digits)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift || strings.HasPrefix(digits, "+") {
		return 0, fmt.Errorf("%q is not a size: write bytes, or a number with k, m or g, such as 64k or 8m", s)
	}
	return Size(n << shift), nil
}

// String returns the shortest exact text: "1m", "1500".
func (s Size) String() string {
	for _, unit := range []struct {
		shift int
		name  string
	}{{30, "g"}, {20, "m"}, {10, "k"}} {
		if s != 0 && s&(1<<unit.shift-1) == 0 {
			return strconv.FormatInt(int64(s>>unit.shift), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalJSON writes the text form.
func (s Size) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads the text form or a bare number of bytes.
func (s *Size) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil {
		return err
	}
	*s, err = ParseSize(text)
	return err
}

// Duration is a span of time in nanoseconds. Its text is Go's ("1m30s", "250ms") or a bare number
// of seconds, as nginx annotations have it.
type Duration time.Duration

// ParseDuration reads the text of a Duration.
func ParseDuration(s string) (Duration, error) {
	s = strings.TrimSpace(s)
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return Duration(d), nil
	}
	// A float64 holds every whole number of nanoseconds up to 104 days; the bound keeps the product
	// inside int64.
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f <= 1e9 {
		return Duration(math.Round(f * float64(time.Second))), nil
	}
	return 0, fmt.Errorf("%q is not a duration: write seconds, or a number with a unit, such as 10s, 1m30s or 250ms", s)
}

// String returns Go's text, without zero parts: "1m", "75s" as "1m15s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the text form or a bare number of seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	text, err := scalar(b)
	if err != nil {
		return err
	}
	*d, err = ParseDuration(text)
	return err
}

// scalar returns a JSON string's or number's text.
func scalar(b []byte) (string, error) {
	var text string
	if err := json.Unmarshal(b, &text); err == nil {
		return text, nil
	}
	var number json.Number
	if err := json.Unmarshal(b, &number); err != nil {
		return "", fmt.Errorf("%s is neither text nor a number", b)
	}
	return number.String(), nil
}
