package e2e_test

import (
	"log"
	"os"
	"testing"
)

// shared is a folder of the whole run: the program, and what the servers of the tests trust.
var shared string

func TestMain(m *testing.M) {
	var err error
	if shared, err = os.MkdirTemp("", "ringwall-e2e-"); err != nil {
		log.Fatal(err)
	}
	status := m.Run()
	if err := os.RemoveAll(shared); err != nil {
		log.Print(err)
	}
	os.Exit(status)
}
