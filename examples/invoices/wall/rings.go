// Package wall attacks the invoices: an exploit for each class of attack of rings.json, the layers that stand against it,
// and a world in which each layer can be taken away.
//
// The test of this package is the table of docs/rings.md. With all layers off every exploit does harm; with all on, none
// does; with any one of the layers that stop a class taken away, still none; and each of them alone is enough. The lab
// (cmd/lab) runs the same exploits where somebody can watch.
//
// Who is signed in is told in every row, also with all layers off: what an application does for somebody without a
// session is nothing that a layer could be shown at.
package wall

import (
	_ "embed" // rings.json
	"encoding/json"
	"fmt"
	"slices"
)

//go:embed rings.json
var ringsJSON []byte

// Class is a class of attack, as rings.json declares it.
type Class struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Harm     string   `json:"harm"`     // one predicate: the exploit tells whether it is true
	Stops    []string `json:"stops"`    // layers of which each one alone is enough, in the order in which the attack meets them
	Postgres []string `json:"postgres"` // layers that stop it too where the database is PostgreSQL
	Limits   []string `json:"limits"`   // layers that make the harm smaller, not impossible
	Records  []string `json:"records"`  // events of the audit log that an attempt leaves when all layers are on
	Browser  bool     `json:"browser"`  // the exploit needs a real one
}

// Classes are the classes of rings.json. It returns an error for a class that names a layer twice or one that there is not.
func Classes() ([]Class, error) {
	var file struct {
		Classes []Class `json:"classes"`
	}
	if err := json.Unmarshal(ringsJSON, &file); err != nil {
		return nil, fmt.Errorf("rings.json: %w", err)
	}
	for _, c := range file.Classes {
		named := slices.Concat(c.Stops, c.Postgres, c.Limits)
		for i, id := range named {
			if _, ok := LayerOf(id); !ok || slices.Contains(named[:i], id) {
				return nil, fmt.Errorf("rings.json: %s: layer %q is not there, or stands twice", c.ID, id)
			}
		}
	}
	return file.Classes, nil
}

// Off is which layers are left out. The zero value leaves out none.
type Off map[string]bool

// All leaves out every layer.
func All() Off {
	off := Off{}
	for _, l := range Layers() {
		off[l.ID] = true
	}
	return off
}

// Alone leaves out every layer but one.
func Alone(id string) Off {
	off := All()
	delete(off, id)
	return off
}
