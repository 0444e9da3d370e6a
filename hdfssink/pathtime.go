package hdfssink

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLetters are Flume's time escapes. Names of months and days are English whatever the locale.
const timeLetters = "aAbBcdeDHIjklmMnpsStyYz"

// timeUnit is how long a time escape keeps its value.
type timeUnit uint8

const (
	unitNone timeUnit = iota
	unitMilli
	unitSecond
	unitMinute
	unitHour
	unitHalfDay
	unitDay
	unitMonth
	unitYear
)

func unitOf(s segment) timeUnit {
	if s.kind != timeEscape {
		return unitNone
	}
	switch s.text {
	case "t":
		return unitMilli
	case "s", "S", "c":
		return unitSecond
	case "M":
		return unitMinute
	case "H", "I", "k", "l", "z":
		return unitHour
	case "p":
		return unitHalfDay
	case "a", "A", "d", "e", "D", "j":
		return unitDay
	case "b", "B", "m", "n":
		return unitMonth
	default:
		return unitYear
	}
}

// finer returns the unit that changes more often; unitNone never does.
func finer(a, b timeUnit) timeUnit {
	if a == unitNone || (b != unitNone && b < a) {
		return b
	}
	return a
}

// span is the unit's length, at most a day: months and years begin and end with days.
func (u timeUnit) span() time.Duration {
	switch u {
	case unitMilli:
		return time.Millisecond
	case unitSecond:
		return time.Second
	case unitMinute:
		return time.Minute
	case unitHour:
		return time.Hour
	case unitHalfDay:
		return 12 * time.Hour
	default:
		return 24 * time.Hour
	}
}

// checkRound refuses what would make periods of unequal length.
func checkRound(round time.Duration) error {
	const day = 24 * time.Hour
	if round < 0 || round%time.Second != 0 || (round > 0 && day%round != 0) {
		return fmt.Errorf("%s does not divide a day into equal parts of whole seconds", round)
	}
	return nil
}

// civil is a moment as a clock on the wall shows it, rounded down as configured.
type civil struct {
	wall    time.Time // in UTC, but with the zone's fields
	offset  int       // of the zone, seconds east
	instant int64     // ms, not rounded
}

// civilAt returns the fields for an instant and the range of instants, in ms, around it that have the same path.
func (t *pathTemplate) civilAt(ms int64) (c civil, first, next int64) {
	at := time.UnixMilli(ms).In(t.zone)
	_, offset := at.Zone()
	shift := int64(offset) * 1000
	span := max(t.unit.span(), t.round).Milliseconds()
	if t.unit == unitMilli {
		span = 1
	}
	cell := floorTo(ms+shift, span)
	first, next = cell-shift, cell-shift+span
	if from, to := at.ZoneBounds(); !from.IsZero() || !to.IsZero() {
		if !from.IsZero() {
			first = max(first, from.UnixMilli())
		}
		if !to.IsZero() {
			next = min(next, to.UnixMilli())
		}
	}
	wall := ms + shift
	if t.round > 0 {
		wall = floorTo(wall, t.round.Milliseconds())
	}
	return civil{wall: time.UnixMilli(wall).UTC(), offset: offset, instant: ms}, first, next
}

// windowEnd is when no event on time can fall into the bucket of c any more; the zero time: never.
func (t *pathTemplate) windowEnd(c civil) time.Time {
	w := c.wall
	var end time.Time
	switch t.unit {
	case unitNone:
		return time.Time{}
	case unitMonth:
		end = time.Date(w.Year(), w.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	case unitYear:
		end = time.Date(w.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
	default:
		span := max(t.unit.span(), t.round).Milliseconds()
		end = time.UnixMilli(floorTo(w.UnixMilli(), span) + span).UTC()
	}
	// Back from the wall to an instant; in the hour of a clock change the zone picks one, which is near enough for a roll.
	return time.Date(end.Year(), end.Month(), end.Day(), end.Hour(), end.Minute(), end.Second(), end.Nanosecond(), t.zone)
}

// render is the value of one time escape, not yet escaped.
func render(letter string, c civil) string {
	w := c.wall
	hour12 := (w.Hour()+11)%12 + 1
	switch letter {
	case "Y":
		return fmt.Sprintf("%04d", w.Year())
	case "y":
		return fmt.Sprintf("%02d", ((w.Year()%100)+100)%100)
	case "m":
		return fmt.Sprintf("%02d", int(w.Month()))
	case "n":
		return strconv.Itoa(int(w.Month()))
	case "d":
		return fmt.Sprintf("%02d", w.Day())
	case "e":
		return strconv.Itoa(w.Day())
	case "H":
		return fmt.Sprintf("%02d", w.Hour())
	case "k":
		return strconv.Itoa(w.Hour())
	case "I":
		return fmt.Sprintf("%02d", hour12)
	case "l":
		return strconv.Itoa(hour12)
	case "M":
		return fmt.Sprintf("%02d", w.Minute())
	case "S":
		return fmt.Sprintf("%02d", w.Second())
	case "j":
		return fmt.Sprintf("%03d", w.YearDay())
	case "t":
		return strconv.FormatInt(c.instant, 10)
	case "s":
		return strconv.FormatInt(w.Unix()-int64(c.offset), 10)
	}
	layouts := map[string]string{
		"a": "Mon", "A": "Monday", "b": "Jan", "B": "January", "c": "Mon Jan 2 15:04:05 2006", "D": "01/02/06", "p": "PM",
	}
	if letter == "z" {
		sign, o := '+', c.offset
		if o < 0 {
			sign, o = '-', -o
		}
		return fmt.Sprintf("%c%02d%02d", sign, o/3600, o/60%60)
	}
	return w.Format(layouts[letter])
}

// renderEscaped is render as it goes into a path. The slashes of %D make directories, as in Flume.
func renderEscaped(letter string, c civil) string {
	parts := strings.Split(render(letter, c), "/")
	for i := range parts {
		parts[i] = string(appendEscaped(nil, parts[i], false))
	}
	return strings.Join(parts, "/")
}

// floorTo rounds down to a multiple of span, also below zero.
func floorTo(ms, span int64) int64 {
	if ms < math.MinInt64/2 || ms > math.MaxInt64/2 {
		return ms
	}
	r := ms % span
	if r < 0 {
		r += span
	}
	return ms - r
}
