// Package rawprocess starts processes in the ways that there are.
package rawprocess

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	. "os/exec"
	"syscall"
)

func start(ctx context.Context, r *http.Request) {
	_ = exec.Command("sh", "-c", "convert "+r.FormValue("name")).Run() // want `start it with package run`
	make := exec.CommandContext                                        // want `start it with package run`
	_ = make(ctx, "convert").Run()
	_, _ = os.StartProcess("/bin/ls", nil, &os.ProcAttr{}) // want `start it with package run`
	_, _ = exec.LookPath("convert")                        // starts nothing
}

func byAnotherName(r *http.Request) {
	_ = Command("convert", r.FormValue("name")).Run() // want `start it with package run`
	run := (Command)                                  // want `start it with package run`
	_ = run("convert")
	_ = syscall.Exec("/bin/sh", nil, nil) // want `start it with package run`
}

type held struct{ exec.Cmd } // want `put together by hand`

func byHand(r *http.Request) {
	c := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", r.FormValue("name")}} // want `put together by hand`
	_ = c.Run()
	_ = new(exec.Cmd).Start() // want `put together by hand`
	var zero Cmd              // want `put together by hand`
	_ = zero.Output
}

func given(c *exec.Cmd, more []*Cmd) (err error) {
	for _, c := range append(more, c) {
		err = c.Wait()
	}
	return err
}
