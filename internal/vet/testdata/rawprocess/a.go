// Package rawprocess starts processes in the ways that there are.
package rawprocess

import (
	"context"
	"net/http"
	"os"
	"os/exec"
)

func start(ctx context.Context, r *http.Request) {
	_ = exec.Command("sh", "-c", "convert "+r.FormValue("name")).Run() // want `start it with package run`
	make := exec.CommandContext                                        // want `start it with package run`
	_ = make(ctx, "convert").Run()
	_, _ = os.StartProcess("/bin/ls", nil, &os.ProcAttr{}) // want `start it with package run`
	_, _ = exec.LookPath("convert")                        // starts nothing
}
