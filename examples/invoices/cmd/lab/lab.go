package main

import (
	"bytes"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/ringwall/ringwall/examples/invoices/look"
	"github.com/ringwall/ringwall/examples/invoices/wall"
	"github.com/ringwall/ringwall/headers"
	"github.com/ringwall/ringwall/input"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// lab is the pages around a world. What it knows of attacks is their last outcome.
type lab struct {
	world   *wall.World
	origin  string
	module  string
	classes []wall.Class
	pages   map[string]*template.Template
	all     http.Handler

	mu    sync.Mutex
	ended map[string]ended
}

// ended is an attack that is over, with what was off.
type ended struct {
	wall.Outcome
	Off    wall.Off
	Looked bool // somebody has asked whether the part by hand did harm
}

func newLab(world *wall.World, origin string) (*lab, error) {
	l := &lab{world: world, origin: origin, pages: map[string]*template.Template{}, ended: map[string]ended{}}
	var err error
	if l.module, err = wall.Module(); err != nil {
		return nil, err
	}
	if l.classes, err = wall.Classes(); err != nil {
		return nil, err
	}
	for _, name := range []string{"home", "attack", "layer", "error"} {
		if l.pages[name], err = template.New("frame.html").Funcs(template.FuncMap{"lines": numbered}).ParseFS(templateFiles, "templates/frame.html", "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	policy, err := headers.New(headers.Options{InsecureTransport: true})
	if err != nil {
		return nil, err
	}
	origins, err := input.ParseOrigins(origin)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", l.home)
	mux.HandleFunc("POST /switch", l.flip)
	mux.HandleFunc("GET /attacks/{class}", l.showAttack)
	mux.HandleFunc("POST /attacks/{class}", l.attack)
	mux.HandleFunc("POST /attacks/{class}/look", l.look)
	mux.HandleFunc("GET /layers/{id}", l.showLayer)
	mux.Handle("GET /look/", http.StripPrefix("/look/", http.FileServerFS(look.Files)))
	mux.Handle("GET /static/", http.FileServerFS(staticFiles))
	// The attacker's site is open in the same browser: nothing of it may press a button here.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	l.all = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		policy.Page(w.Header())
		if _, err := origins.Of(r); err != nil {
			l.refuse(w, http.StatusMisdirectedRequest, "The lab answers at "+origin+" alone.")
			return
		}
		guarded.ServeHTTP(w, r)
	})
	return l, nil
}

// ServeHTTP answers for the lab's pages.
func (l *lab) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.all.ServeHTTP(w, r) }

// flip changes which layers are off: one, all but one, all, none, or those that the form of all names.
func (l *lab) flip(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		l.refuse(w, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	off := maps.Clone(l.world.Off())
	if off == nil {
		off = wall.Off{}
	}
	id := r.PostForm.Get("layer")
	if _, ok := wall.LayerOf(id); !ok && id != "" {
		l.refuse(w, http.StatusBadRequest, "There is no such layer.")
		return
	}
	switch r.PostForm.Get("do") {
	case "off":
		off[id] = true
	case "on":
		delete(off, id)
	case "alone":
		off = wall.Alone(id)
	case "all-on":
		off = wall.Off{}
	case "all-off":
		off = wall.All()
	case "these":
		off = wall.Off{}
		for _, layer := range wall.Layers() {
			if !slices.Contains(r.PostForm["on"], layer.ID) {
				off[layer.ID] = true
			}
		}
	default:
		l.refuse(w, http.StatusBadRequest, "There is no such button.")
		return
	}
	if err := l.world.Set(r.Context(), off); err != nil {
		l.refuse(w, http.StatusInternalServerError, "The layers could not be changed: "+err.Error())
		return
	}
	http.Redirect(w, r, input.ReturnPath(r.PostForm.Get("back"), "/"), http.StatusSeeOther) // #nosec G710 -- ReturnPath is the check
}

// class finds what a path names, or answers 404.
func (l *lab) class(w http.ResponseWriter, r *http.Request) (wall.Class, bool) {
	i := slices.IndexFunc(l.classes, func(c wall.Class) bool { return c.ID == r.PathValue("class") })
	if i < 0 {
		l.refuse(w, http.StatusNotFound, "There is no such attack.")
		return wall.Class{}, false
	}
	return l.classes[i], true
}

// attack runs an exploit and shows what became of it.
func (l *lab) attack(w http.ResponseWriter, r *http.Request) {
	class, ok := l.class(w, r)
	if !ok {
		return
	}
	off := l.world.Off()
	outcome, err := l.world.Attack(r.Context(), class.ID, nil)
	if err != nil {
		l.refuse(w, http.StatusInternalServerError, "The attack itself failed: "+err.Error())
		return
	}
	l.mu.Lock()
	l.ended[class.ID] = ended{Outcome: outcome, Off: off}
	l.mu.Unlock()
	http.Redirect(w, r, "/attacks/"+class.ID+"#result", http.StatusSeeOther)
}

// look asks whether the part that a person did in their own browser has done harm.
func (l *lab) look(w http.ResponseWriter, r *http.Request) {
	class, ok := l.class(w, r)
	if !ok {
		return
	}
	l.mu.Lock()
	last, ok := l.ended[class.ID]
	l.mu.Unlock()
	if !ok || last.ByHand == nil || last.ByHand.Check == nil {
		l.refuse(w, http.StatusConflict, "There is nothing to look at: attack first.")
		return
	}
	harm, err := last.ByHand.Check(r.Context())
	if err != nil {
		l.refuse(w, http.StatusInternalServerError, "It cannot be seen: "+err.Error())
		return
	}
	last.Harm, last.Looked = harm, true
	l.mu.Lock()
	l.ended[class.ID] = last
	l.mu.Unlock()
	http.Redirect(w, r, "/attacks/"+class.ID+"#result", http.StatusSeeOther)
}

func (l *lab) show(w http.ResponseWriter, status int, page string, view any) {
	var out bytes.Buffer
	if err := l.pages[page].ExecuteTemplate(&out, "frame.html", view); err != nil {
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the client is gone: nobody to tell
}

func (l *lab) refuse(w http.ResponseWriter, status int, what string) {
	l.show(w, status, "error", errorPage{frame: l.frame(http.StatusText(status), ""), What: what})
}
