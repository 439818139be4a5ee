package app

// ID names a layer of the application.
type ID string

// The layers of the application, in the order of the rings.
const (
	StrictRouting     ID = "strict-routing"
	StrictInput       ID = "strict-input"
	Escaping          ID = "escaping"
	SanitizeStore     ID = "sanitize-store"
	SanitizeShow      ID = "sanitize-show"
	Idempotency       ID = "idempotency"
	RunNoShell        ID = "run-no-shell"
	RunAllowlist      ID = "run-allowlist"
	OutboundDial      ID = "outbound-dial"
	OutboundAllowlist ID = "outbound-allowlist"
	UploadByContent   ID = "upload-by-content"
	UploadServing     ID = "upload-serving"
	ReturnPath        ID = "return-path"
	PageOfReturn      ID = "page-of-return"
	RouteRule         ID = "route-rule"
	PermissionAtQuery ID = "permission-at-query"
	OwnerCheck        ID = "owner-check"
	OwnerInQuery      ID = "owner-in-query"
	RowSecurity       ID = "row-security" // PostgreSQL alone
	SQLSafe           ID = "sqlsafe"
	NamedColumns      ID = "named-columns"
	UniqueTransfer    ID = "unique-transfer"
)

// Layer is one layer of the application: what it does, and which classes of attack it stops, alone.
type Layer struct {
	ID      ID
	Ring    int // as in docs/architecture.md
	Summary string
	Stops   []string // classes of attack
	Safe    string   // the file with the layer
	Unsafe  string   // the file with its twin, which runs when the layer is off
}

// Layers lists the layers of the application.
func Layers() []Layer {
	return []Layer{
		{StrictRouting, 3, "the router takes a path as it came: it cleans nothing, and knows one spelling", []string{"path-confusion"}, "app.go", "unsafe_routing.go"},
		{StrictInput, 3, "queries and forms are decoded into types of their own: unknown fields are refused, a search takes letters, digits and spaces", []string{"sql-injection", "reflected-xss", "mass-assignment"}, "search.go, profile.go", "unsafe_input.go"},
		{Escaping, 3, "html/template escapes what it is given, by the place where it stands", []string{"reflected-xss"}, "render.go", "unsafe_render.go"},
		{SanitizeStore, 3, "markdown becomes safe HTML before it is stored", []string{"stored-xss"}, "comments.go", "unsafe_comments.go"},
		{SanitizeShow, 3, "stored HTML is made safe again where it is shown", []string{"stored-xss"}, "comments.go", "unsafe_comments.go"},
		{Idempotency, 3, "a transfer that was sent twice is answered twice and done once", []string{"replayed-write"}, "transfers.go", "unsafe_transfers.go"},
		{RunNoShell, 3, "a program is started without a shell, and a value never becomes a flag", []string{"command-injection"}, "report.go", "unsafe_report.go"},
		{RunAllowlist, 3, "the column of a report is looked up in a list, and what the program gets comes from there", []string{"command-injection"}, "report.go", "unsafe_report.go"},
		{OutboundDial, 3, "the address of a connection is judged when it is made: nothing private is reached", []string{"ssrf"}, "webhook.go", "unsafe_webhook.go"},
		{OutboundAllowlist, 3, "a webhook goes to hosts that the operator has listed", []string{"ssrf"}, "webhook.go", "unsafe_webhook.go"},
		{UploadByContent, 3, "a picture is what its bytes say, not what its sender says", []string{"malicious-upload"}, "avatar.go", "unsafe_avatar.go"},
		{UploadServing, 1, "what was uploaded is served as the picture that it is or as a download, sandboxed, under a type of ours", []string{"malicious-upload"}, "avatar.go", "unsafe_avatar.go"},
		{ReturnPath, 3, "a redirect stays on this host", []string{"open-redirect"}, "goto.go", "unsafe_goto.go"},
		{PageOfReturn, 3, "a redirect ends on a page from a list, and its address is put together from there", []string{"open-redirect"}, "goto.go", "unsafe_goto.go"},
		{RouteRule, 5, "each route has its rule, checked where the handler is called", []string{"function-level", "path-confusion"}, "app.go", "unsafe_routing.go"},
		{PermissionAtQuery, 5, "the statement about everybody's rows runs only for somebody with the permission", []string{"function-level", "path-confusion"}, "admin.go", "unsafe_store.go"},
		{OwnerCheck, 5, "a row that was read is held against the session before it is shown", []string{"idor"}, "invoices_store.go", "unsafe_store.go"},
		{OwnerInQuery, 6, "the owner stands in the statement: what is not yours is not found", []string{"idor"}, "invoices_store.go", "unsafe_store.go"},
		{RowSecurity, 6, "PostgreSQL itself holds a transaction to the rows of its person", []string{"idor"}, "schema.go, people.go", "unsafe_store.go"},
		{SQLSafe, 6, "statements are constants and values are bound", []string{"sql-injection"}, "search.go", "unsafe_search.go"},
		{NamedColumns, 6, "the statement names the columns that a person may change", []string{"mass-assignment"}, "profile.go", "unsafe_profile.go"},
		{UniqueTransfer, 6, "the database takes the key of a transfer once", []string{"replayed-write"}, "transfers_store.go", "unsafe_transfers.go"},
	}
}

// Off is which layers are switched off: by the lab and the test of the wall, and by nobody else. The zero value has all of
// them on.
type Off map[ID]bool
