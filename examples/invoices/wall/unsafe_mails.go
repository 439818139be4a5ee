package wall

import (
	"net/http"
	"strings"
	"sync"
)

// hostMails puts the host that a request named into the links of the mails that the request caused, as a template does
// that builds links from the request.
type hostMails struct {
	origin string
	next   http.Handler
	mu     sync.Mutex
	last   string // the host that was named last by a request that makes a mail
}

// ServeHTTP takes the host down.
func (m *hostMails) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		m.mu.Lock()
		m.last = r.Host
		m.mu.Unlock()
	}
	m.next.ServeHTTP(w, r)
}

// text is a mail as it would have been sent.
func (m *hostMails) text(mail string) string {
	if m == nil {
		return mail
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == "" {
		return mail
	}
	scheme, _, _ := strings.Cut(m.origin, "://")
	return strings.ReplaceAll(mail, m.origin, scheme+"://"+m.last)
}
