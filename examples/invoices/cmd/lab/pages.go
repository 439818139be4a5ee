package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall/examples/invoices/wall"
)

// frame is what every page shows.
type frame struct {
	Title     string
	Back      string // where a switch on this page comes back to
	App, Evil string
	Off, All  int
}

func (l *lab) frame(title, back string) frame {
	return frame{Title: title, Back: back, App: l.world.App, Evil: l.world.Evil, Off: len(l.world.Off()), All: len(wall.Layers())}
}

type errorPage struct {
	frame
	What string
}

// switched is a layer and whether it is on.
type switched struct {
	wall.Layer
	On, Stays bool
}

type homePage struct {
	frame
	Classes []classRow
	Rings   []ring
}

type classRow struct {
	wall.Class
	Stops []switched
	Last  string
	Tone  string // of what colour it is
}

type ring struct {
	Number int
	Name   string
	Layers []switched
}

func ringNames() []string {
	return []string{"Transport and browser", "Volume", "Input", "Identity", "Permission", "Data", "Watch"}
}

func (l *lab) home(w http.ResponseWriter, _ *http.Request) {
	off := l.world.Off()
	page := homePage{frame: l.frame("The lab", "/")}
	l.mu.Lock()
	for _, c := range l.classes {
		row := classRow{Class: c, Stops: states(c.Stops, off)}
		if last, ok := l.ended[c.ID]; ok {
			row.Last, row.Tone = verdict(last)
		}
		page.Classes = append(page.Classes, row)
	}
	l.mu.Unlock()
	for i, name := range ringNames() {
		r := ring{Number: i + 1, Name: name}
		for _, layer := range wall.Layers() {
			if layer.Ring == r.Number {
				r.Layers = append(r.Layers, switched{Layer: layer, On: !off[layer.ID]})
			}
		}
		if len(r.Layers) > 0 {
			page.Rings = append(page.Rings, r)
		}
	}
	l.show(w, http.StatusOK, "home", page)
}

func states(ids []string, off wall.Off) (list []switched) {
	for _, id := range ids {
		if layer, ok := wall.LayerOf(id); ok {
			list = append(list, switched{layer, !off[id], id == "session"})
		}
	}
	return list
}

// verdict is an outcome in two words, and their tone.
func verdict(e ended) (text, tone string) {
	switch {
	case e.Harm != "":
		return "harm", "bad"
	case e.ByHand != nil && !e.Looked:
		return "your turn", "turn"
	default:
		return "no harm", "good"
	}
}

type attackPage struct {
	frame
	wall.Class
	Stops, Limits []switched
	Result        *result
}

// result is what became of an attack, and why.
type result struct {
	ended
	Verdict string
	Tone    string
	First   *switched  // the layer that it met first; nil if none was on
	Behind  []switched // those that would have stopped it too
	Code    []wall.Source
	Twins   []wall.Source // what ran in the place of layers that were off
	Stale   bool          // layers were switched since
}

func (l *lab) showAttack(w http.ResponseWriter, r *http.Request) {
	class, ok := l.class(w, r)
	if !ok {
		return
	}
	off := l.world.Off()
	page := attackPage{frame: l.frame(class.Name, "/attacks/"+class.ID), Class: class, Stops: states(class.Stops, off), Limits: states(class.Limits, off)}
	l.mu.Lock()
	last, ok := l.ended[class.ID]
	l.mu.Unlock()
	if ok {
		result, err := l.explain(class, last)
		if err != nil {
			l.refuse(w, http.StatusInternalServerError, "The code cannot be read: "+err.Error())
			return
		}
		result.Stale = !same(last.Off, off)
		page.Result = &result
	}
	l.show(w, http.StatusOK, "attack", page)
}

func same(a, b wall.Off) bool {
	for _, l := range wall.Layers() {
		if a[l.ID] != b[l.ID] {
			return false
		}
	}
	return true
}

// explain finds the code of the layer that an attack met first, or of what ran where there was none. That a layer is enough
// by itself, and in which order they are met, is what the test of the wall holds.
func (l *lab) explain(class wall.Class, e ended) (result, error) {
	res := result{ended: e}
	res.Verdict, res.Tone = verdict(e)
	var twins []string
	for _, s := range states(class.Stops, e.Off) {
		switch {
		case !s.On && s.Unsafe != "":
			if !slices.Contains(twins, s.Unsafe) {
				twins = append(twins, s.Unsafe)
			}
		case !s.On:
		case res.First == nil:
			res.First = &s
		default:
			res.Behind = append(res.Behind, s)
		}
	}
	var err error
	if res.First != nil {
		if res.Code, err = wall.Sources(l.module, res.First.Code...); err != nil {
			return result{}, err
		}
	}
	res.Twins, err = wall.Sources(l.module, twins...)
	return res, err
}

type layerPage struct {
	frame
	switched
	RingName string
	Sources  []wall.Source
	Twin     []wall.Source
	Stops    []wall.Class
	Limits   []wall.Class
}

func (l *lab) showLayer(w http.ResponseWriter, r *http.Request) {
	layer, ok := wall.LayerOf(r.PathValue("id"))
	if !ok {
		l.refuse(w, http.StatusNotFound, "There is no such layer.")
		return
	}
	page := layerPage{
		frame: l.frame(layer.ID, "/layers/"+layer.ID), switched: switched{layer, !l.world.Off()[layer.ID], layer.ID == "session"}, RingName: strings.ToLower(ringNames()[layer.Ring-1]),
	}
	var err error
	if page.Sources, err = wall.Sources(l.module, layer.Code...); err == nil && layer.Unsafe != "" {
		page.Twin, err = wall.Sources(l.module, layer.Unsafe)
	}
	if err != nil {
		l.refuse(w, http.StatusInternalServerError, "The code cannot be read: "+err.Error())
		return
	}
	for _, c := range l.classes {
		if slices.Contains(c.Stops, layer.ID) {
			page.Stops = append(page.Stops, c)
		}
		if slices.Contains(c.Limits, layer.ID) {
			page.Limits = append(page.Limits, c)
		}
	}
	l.show(w, http.StatusOK, "layer", page)
}

// line is one of a source.
type line struct {
	N    string
	Text string
}

// numbered are the lines of a source, with their numbers.
func numbered(s wall.Source) (list []line) {
	for i, text := range strings.Split(s.Text, "\n") {
		list = append(list, line{strconv.Itoa(s.First + i), text})
	}
	return list
}
