package generator

import (
	"math"
	"time"

	"github.com/altinn/dialogsync/internal/altinnsim/world"
)

// cell is what one organisation gets on one day.
type cell struct {
	org      int
	from, to int64 // microseconds, to excluded
	count    int
	number   uint64 // of the cell, part of its seed
}

// cells are the days from the oldest to the newest, and on each day the organisations in order. Their counts add up to
// exactly the instances asked for, and the monster's.
func (g *Generator) cells(yield func(cell) bool) {
	days := g.days()
	orgs := g.orgWeights()
	var passed float64
	done, number := 0, uint64(0)
	for _, d := range days {
		for org, weight := range orgs {
			passed += d.weight * weight
			count := int(math.Round(passed*float64(g.options.Instances))) - done
			done += count
			number++
			if !yield(cell{org: org, from: d.from, to: d.to, count: count + g.monsterOn(org, d), number: number}) {
				return
			}
		}
	}
}

type weightedDay struct {
	from, to int64
	weight   float64
}

const (
	weekendWeight = 0.2
	peakWeight    = 8
)

// days splits the range at midnights, UTC, and weighs the parts so that they add up to 1.
func (g *Generator) days() []weightedDay {
	var days []weightedDay
	total := 0.0
	for from := g.options.From; from.Before(g.options.To); {
		to := from.Truncate(day).Add(day)
		if to.After(g.options.To) {
			to = g.options.To
		}
		weight := to.Sub(from).Hours() / 24
		if wd := from.Weekday(); !g.options.FlatWeek && (wd == time.Saturday || wd == time.Sunday) {
			weight *= weekendWeight
		}
		days = append(days, weightedDay{from: from.UnixMicro(), to: to.UnixMicro(), weight: weight})
		from = to
	}
	roll := dice{world.NewDice(world.Mix(g.options.Seed ^ 0x9ea4))}
	for range min(g.options.PeakDays, len(days)) {
		days[roll.Below(int64(len(days)))].weight *= peakWeight
	}
	for _, d := range days {
		total += d.weight
	}
	for i := range days {
		days[i].weight /= total
	}
	return days
}

// orgWeights fall like 1/n and add up to 1: a few organisations have most.
func (g *Generator) orgWeights() []float64 {
	weights := make([]float64, len(g.orgs))
	total := 0.0
	for i := range weights {
		weights[i] = 1 / float64(i+1)
		total += weights[i]
	}
	for i := range weights {
		weights[i] /= total
	}
	return weights
}

func (g *Generator) monsterOn(org int, d weightedDay) int {
	m := g.options.Monster
	if m == nil || g.orgs[org].Code != m.Org {
		return 0
	}
	if t := m.Day.UTC().Truncate(day); t.UnixMicro() != time.UnixMicro(d.from).UTC().Truncate(day).UnixMicro() {
		return 0
	}
	return m.Count
}
