package wall

import (
	"slices"
	"strings"

	"github.com/ringwall/ringwall/examples/invoices/app"
	"github.com/ringwall/ringwall/internal/chain"
)

// Layer is one layer of the wall.
type Layer struct {
	ID      string
	Ring    int // as in docs/architecture.md
	Summary string
	Owner   string   // who brings it: the chain, Ringwall, or the application
	Code    []string // where it is done: "file" or "file name-of-function", from the root of the module
	Unsafe  string   // the file with what runs in its place, if anything does
}

// Layers are those of the chain that can be left out (the session stays: somebody must be signed in), those of Ringwall
// behind it, and those of the application.
func Layers() []Layer {
	var list []Layer
	for _, l := range chain.Layers() {
		if l.ID != "session" {
			list = append(list, Layer{l.ID, l.Ring, l.Summary, "chain", chainCode(l.ID), ""})
		}
	}
	list = append(list, engineLayers()...)
	for _, l := range app.Layers() {
		list = append(list, Layer{string(l.ID), l.Ring, sentence(l.Summary), "application", appCode(l.ID), "examples/invoices/app/" + l.Unsafe})
	}
	return list
}

// sentence makes one of a summary. What begins with a name keeps it as it is.
func sentence(text string) string {
	if word, _, _ := strings.Cut(text, " "); !strings.Contains(word, "/") {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

// LayerOf finds a layer, also that which stays.
func LayerOf(id string) (Layer, bool) {
	if id == "session" {
		for _, l := range chain.Layers() {
			if l.ID == id {
				return Layer{l.ID, l.Ring, l.Summary, "chain", chainCode(l.ID), ""}, true
			}
		}
	}
	list := Layers()
	i := slices.IndexFunc(list, func(l Layer) bool { return l.ID == id })
	if i < 0 {
		return Layer{}, false
	}
	return list[i], true
}

const (
	addressLimit = "address-limit"
	accountLimit = "account-limit"
	ceiling      = "ceiling"
	newToken     = "new-token"
	mailLinks    = "mail-links"
)

// engineLayers are layers of Ringwall that do not stand in the chain. Two are options, three have a twin here.
func engineLayers() []Layer {
	return []Layer{
		{addressLimit, 2, "An address has so many wrong tries a minute and an hour, whatever account they are for.", "ringwall", []string{"internal/limits/addresses.go Enter"}, ""},
		{ceiling, 2, "All attempts together have a ceiling; before it is reached, strangers must solve a challenge.", "ringwall", []string{"internal/ceiling/ceiling.go Refuses"}, ""},
		{accountLimit, 2, "An account has five wrong tries, then a wait that grows; they are counted before the password is checked.", "ringwall", []string{"internal/account/signin.go signIn"}, "examples/invoices/wall/unsafe_limits.go"},
		{newToken, 4, "Signing in makes a new token; what the browser brought is no session and never becomes one.", "ringwall", []string{"internal/chain/cookies.go StartSession", "internal/account/signin.go begin"}, "examples/invoices/wall/unsafe_sessions.go"},
		{mailLinks, 3, "Links in mails begin with the first of ORIGINS, never with the host of a request.", "ringwall", []string{"internal/account/account.go link"}, "examples/invoices/wall/unsafe_mails.go"},
	}
}

func chainCode(id string) []string {
	return map[string][]string{
		"path":            {"input/path.go PathGuard", "input/path.go isPlainPath"},
		"nosniff":         {"headers/headers.go New"},
		"frame-options":   {"headers/headers.go New"},
		"frame-ancestors": {"headers/app.go finish", "headers/headers.go New"},
		"script-policy":   {"headers/app.go finish", "headers/headers.go New"},
		"isolation":       {"headers/app.go finish", "headers/headers.go New"},
		"hsts":            {"headers/headers.go strictTransport"},
		"no-store":        {"headers/app.go finish"},
		"blocks":          {"internal/chain/chain.go checkBlocks"},
		"host":            {"input/origins.go Of"},
		"session":         {"internal/chain/chain.go identify"},
		"source":          {"internal/chain/chain.go checkSource", "csrf/csrf.go Check"},
		"token":           {"internal/chain/chain.go checkToken", "csrf/token.go CheckToken"},
		"rule":            {"internal/chain/chain.go checkRule"},
		"cookie-prefix":   {"headers/cookie.go NewCookie", "headers/cookie.go Read"},
		"same-site":       {"headers/cookie.go NewCookie"},
		"http-only":       {"headers/cookie.go NewCookie"},
	}[id]
}

// appCode is where a layer of the application is done.
func appCode(id app.ID) []string {
	const at = "examples/invoices/app/"
	return map[app.ID][]string{
		app.StrictRouting:     {"authz/mux.go ServeHTTP", at + "app.go Mux"},
		app.StrictInput:       {at + "search.go UnmarshalText", at + "profile.go profileForm", "input/form.go DecodeForm"},
		app.Escaping:          {at + "render.go parseEscaping"},
		app.SanitizeStore:     {at + "comments.go addComment", "sanitize/sanitize.go Markdown"},
		app.SanitizeShow:      {at + "seams.go safe", "sanitize/sanitize.go HTML"},
		app.Idempotency:       {at + "app.go Mux", "idempotency/idempotency.go Handler"},
		app.RunNoShell:        {at + "report.go runSort"},
		app.RunAllowlist:      {at + "report.go columnKey"},
		app.OutboundDial:      {at + "webhook.go hookClient", "outbound/outbound.go Client"},
		app.OutboundAllowlist: {at + "webhook.go hookClient"},
		app.UploadByContent:   {at + "avatar.go readPicture"},
		app.UploadServing:     {at + "avatar.go sendPicture"},
		app.ReturnPath:        {at + "goto.go goTo", "input/path.go ReturnPath"},
		app.PageOfReturn:      {at + "goto.go pageOf"},
		app.RouteRule:         {at + "app.go Mux", "authz/mux.go ServeHTTP"},
		app.PermissionAtQuery: {at + "admin.go mayReadAll"},
		app.OwnerCheck:        {at + "invoices_store.go isOwn"},
		app.OwnerInQuery:      {at + "invoices_store.go ownInvoice"},
		app.RowSecurity:       {at + "people.go as", "sqlsafe/rowsecurity.go BeginAs"},
		app.SQLSafe:           {at + "search.go searchInvoices"},
		app.NamedColumns:      {at + "profile.go updateProfile"},
		app.UniqueTransfer:    {at + "transfers_store.go transfer"},
	}[id]
}
