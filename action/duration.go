package action

import (
	"math"
	"math/rand/v2"
	"time"
)

// Fixed is always the same duration.
type Fixed time.Duration

// Next implements Duration.
func (f Fixed) Next() time.Duration { return time.Duration(f) }

func (f Fixed) String() string { return time.Duration(f).String() }

// Uniform is drawn from Min to Max, each as likely as the others.
type Uniform struct{ Min, Max time.Duration }

// Next implements Duration.
func (u Uniform) Next() time.Duration {
	if u.Max <= u.Min {
		return u.Min
	}
	return u.Min + rand.N(u.Max-u.Min+1)
}

func (u Uniform) String() string { return u.Min.String() + ".." + u.Max.String() }

// Exponential is the time between events that happen at random, with that mean. It is cut at 100 times the mean.
type Exponential time.Duration

// Next implements Duration.
func (e Exponential) Next() time.Duration {
	return time.Duration(math.Min(rand.ExpFloat64(), 100) * float64(e))
}

func (e Exponential) String() string { return "exp " + time.Duration(e).String() }
