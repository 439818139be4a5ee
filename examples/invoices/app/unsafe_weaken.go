package app

import "github.com/ringwall/ringwall/authz"

// weaken puts an unsafe twin in the place of each layer that is off. Without any it does nothing.
func (a *App) weaken(off Off) {
	if off[StrictInput] {
		a.readSearch, a.readProfile = unsafeSearchQuery, unsafeProfileForm
	}
	if off[Escaping] {
		a.parse = unsafeParse
	}
	if off[SanitizeStore] {
		a.markdown = unsafeMarkdown
	}
	if off[SanitizeShow] {
		a.markup = unsafeMarkup
	}
	if off[Idempotency] {
		a.once, a.doneOnce = keyFromForm, unsafeEachTime
	}
	if off[UniqueTransfer] {
		a.transferKey = unsafeNewKey
	}
	if off[RunNoShell] {
		a.sorted = unsafeShell(a.config.Sort)
	}
	if off[RunAllowlist] {
		a.sortKey = unsafeColumnKey
	}
	if off[OutboundDial] || off[OutboundAllowlist] {
		a.hooks = a.unsafeHookClient(off[OutboundDial], off[OutboundAllowlist])
	}
	if off[UploadByContent] {
		a.readPicture = unsafeReadPicture
	}
	if off[UploadServing] {
		a.sendPicture = unsafeSendPicture
	}
	if off[ReturnPath] {
		a.stay = unsafeAnywhere
	}
	if off[PageOfReturn] {
		a.pageOf = unsafePageOf
	}
	a.weakenData(off)
}

// weakenData is weaken for the rings of permission and data.
func (a *App) weakenData(off Off) {
	if off[RouteRule] {
		a.adminRule = authz.SignedIn()
	}
	if off[PermissionAtQuery] {
		a.mayReadAll = unsafeMayReadAll
	}
	if off[OwnerCheck] {
		a.isOwn = unsafeIsOwn
	}
	if off[OwnerInQuery] {
		a.findInvoice = a.unsafeFindInvoice
	}
	if off[RowSecurity] {
		a.begin = a.unsafeBegin
	}
	if off[SQLSafe] {
		a.find = a.unsafeSearch
	}
	if off[NamedColumns] {
		a.saveProfile = a.unsafeSaveProfile
	}
}
