package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"time"

	"github.com/ringwall/ringwall/internal/problem"
)

// The control socket speaks HTTP: POST /v1/operate {"name": …, "input": …} → {"output": …}, or a problem document. GET /v1/alive
// is a sign of life.

const controlMaxBytes = 1 << 20

type controlRequest struct {
	Name  string          `json:"name"`
	Input json.RawMessage `json:"input"`
}

type controlReply struct {
	Output json.RawMessage `json:"output"`
}

// operation is one act of an operator, by name: the library's one door for commands.
type operation func(ctx context.Context, operator, name string, input []byte) (output []byte, err error)

type operatorKey struct{}

// controlServer answers at the control socket.
func controlServer(operate operation, logger *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/alive", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /v1/operate", func(w http.ResponseWriter, r *http.Request) {
		var in controlRequest
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, controlMaxBytes))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil {
			problem.Write(w, "", "", problem.New(problem.Malformed, "malformed", "The request cannot be read. Is the command of another version than the server?"))
			return
		}
		operator, _ := r.Context().Value(operatorKey{}).(string)
		output, err := operate(r.Context(), operator, in.Name, in.Input)
		if err != nil {
			problem.Write(w, "", "", forOperator(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(controlReply{output}) // the command is gone: nobody to tell
	})
	return &http.Server{
		Handler: mux, ErrorLog: serverErrors(logger), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if peer, ok := conn.(peerConn); ok {
				return context.WithValue(ctx, operatorKey{}, userName(strconv.FormatUint(uint64(peer.uid), 10)))
			}
			return ctx
		},
	}
}

// forOperator is the public face of err for somebody who owns the machine: they are told what a stranger is not.
func forOperator(err error) error {
	e := problem.From(err)
	if e.Kind == problem.Internal {
		return problem.New(problem.Internal, "internal", redact(err.Error()))
	}
	return e
}

// userName is the name of the account with the number, or the number.
func userName(uid string) string {
	if account, err := user.LookupId(uid); err == nil {
		return account.Username
	}
	return "uid " + uid
}

// socketDoor operates through the server that holds the data folder.
type socketDoor struct {
	client   *http.Client
	data     string
	patience patience
}

// openSocketDoor returns [errNoServer] if there is none, and [silent] if it gives no sign of life: what it is not given is not
// done when it goes on.
func openSocketDoor(ctx context.Context, data string, p patience) (*socketDoor, error) {
	transport := &http.Transport{MaxIdleConns: 1, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, data) }}
	d := &socketDoor{&http.Client{Transport: transport}, data, p}
	if err := d.alive(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *socketDoor) operate(ctx context.Context, name string, input []byte) ([]byte, error) {
	body, err := json.Marshal(controlRequest{name, input})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go d.watch(ctx, name, giveUp)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/v1/operate", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := d.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, noAnswer(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("the server stopped in the middle of its answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, problemOf(response.StatusCode, answer)
	}
	var reply controlReply
	if err := json.Unmarshal(answer, &reply); err != nil {
		return nil, fmt.Errorf("the server answered what this command does not understand: %w", err)
	}
	return reply.Output, nil
}

func (d *socketDoor) close() error {
	d.client.CloseIdleConnections()
	return nil
}

// problemOf makes an error of a problem document.
func problemOf(status int, body []byte) error {
	var document struct {
		Type   string          `json:"type"`
		Detail string          `json:"detail"`
		Errors []problem.Field `json:"errors"`
	}
	if err := json.Unmarshal(body, &document); err != nil || document.Detail == "" {
		return fmt.Errorf("the server answered with status %d; is the command of another version than the server?", status)
	}
	kind := problem.Internal
	for _, e := range problem.Catalogue() {
		if "/problems/"+e.Code == document.Type {
			return problem.New(e.Kind, e.Code, document.Detail).With(document.Errors...)
		}
		if e.Kind.Status() == status {
			kind = e.Kind
		}
	}
	return problem.New(kind, "internal", document.Detail).With(document.Errors...)
}
