package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

type userCommands struct {
	settingFlags
	Create userCreate `cmd:"" help:"Make an account. Without a password its owner chooses one through a link."`
	Invite userInvite `cmd:"" help:"Invite somebody by mail to make an account of their own."`
	List   userList   `cmd:"" help:"List accounts."`
	Show   userShow   `cmd:"" help:"Show an account and its sessions."`
	Lock   userLock   `cmd:"" help:"Lock an account and end its sessions."`
	Unlock userUnlock `cmd:"" help:"Unlock an account."`
	Email  userEmail  `cmd:"" help:"Give an account another address."`
	Grant  userGrant  `cmd:"" help:"Give somebody a role."`
	Revoke userRevoke `cmd:"" help:"Take a role from somebody."`

	DemandReset userDemandReset `cmd:"" help:"End all sessions and demand a new password."`
	Delete      userDelete      `cmd:"" help:"Delete an account, after a delay or at once."`

	Metadata userMetadata `cmd:"" help:"Show what is kept about somebody beside their account, or change it."`

	Import userImport `cmd:"" help:"Take in people from a file, with their password hashes."`
	Export userExport `cmd:"" help:"Write all accounts into a file, with their password hashes."`
}

// Help is the example.
func (userCommands) Help() string { return "Example:\n\n    ringwall user list" }

type userView struct {
	ID              string   `json:"id"`
	Email           string   `json:"email"`
	DisplayName     string   `json:"display_name"`
	Language        string   `json:"language"`
	CreatedAt       string   `json:"created_at"`
	Locked          bool     `json:"locked"`
	LockReason      string   `json:"lock_reason,omitempty"`
	LockedUntil     string   `json:"locked_until,omitempty"`
	ResetDemandedAt string   `json:"reset_demanded_at,omitempty"`
	DeleteAt        string   `json:"delete_at,omitempty"`
	Roles           []string `json:"roles"`
}

// state is all that keeps the right password from opening the account.
func (u userView) state() string {
	var all []string
	if u.DeleteAt != "" {
		all = append(all, "will be deleted "+moment(u.DeleteAt))
	}
	if u.ResetDemandedAt != "" {
		all = append(all, "must choose a new password since "+moment(u.ResetDemandedAt))
	}
	if u.Locked {
		all = append(all, u.lock())
	}
	if len(all) == 0 {
		return "open"
	}
	return strings.Join(all, "; ")
}

func (u userView) lock() string {
	state := "locked"
	if u.LockedUntil != "" {
		state += " until " + moment(u.LockedUntil)
	}
	if u.LockReason != "" {
		state += ": " + u.LockReason
	}
	return state
}

func (u userView) language() string {
	if u.Language == "" {
		return "as the browser says"
	}
	return u.Language
}

func (u userView) roles() string {
	if len(u.Roles) == 0 {
		return "none"
	}
	return strings.Join(u.Roles, ", ")
}

type userCreate struct {
	Email         string   `required:"" placeholder:"ADDRESS" help:"The mail address."`
	Name          string   `placeholder:"TEXT" help:"The name that others see."`
	Role          []string `placeholder:"ROLE" help:"A role; repeat the flag for more."`
	PasswordStdin bool     `help:"Read a password from standard input, instead of mailing a link."`
	JSON          bool     `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userCreate) Help() string {
	return "Example:\n\n    ringwall user create --email you@example.org --role admin"
}

type createdUser struct {
	userView
	Link string `json:"link,omitempty"`
}

// Run makes an account.
func (c *userCreate) Run(ctx context.Context, a *app, group *userCommands) error {
	input := map[string]any{"email": c.Email, "display_name": c.Name, "roles": c.Role}
	if c.PasswordStdin {
		password, err := readPassword(a.in)
		if err != nil {
			return err
		}
		input["password"] = password
	}
	var out createdUser
	if err := a.call(ctx, group.settingFlags, "user.create", input, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	text := fmt.Sprintf("%s is made, with the id %s and the roles: %s.\n", oneLine(out.Email), out.ID, oneLine(out.roles()))
	switch {
	case c.PasswordStdin:
	case out.Link != "":
		text += "To choose a password, open:\n\n  " + oneLine(out.Link) + "\n"
	default:
		text += "A link to choose a password is on its way to that address.\n"
	}
	_, err := io.WriteString(a.out, text)
	return err
}

const passwordMaxBytes = 4 << 10

func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, passwordMaxBytes)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", misuse{errors.New("there is no password on standard input. Pipe it in, or leave out --password-stdin")}
	}
	return password, nil
}

type userList struct {
	Limit int    `default:"50" help:"How many to list, 1000 at most."`
	After string `placeholder:"ID" help:"Go on after this account."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userList) Help() string { return "Example:\n\n    ringwall user list --limit 10 --json" }

// Run lists accounts.
func (c *userList) Run(ctx context.Context, a *app, group *userCommands) error {
	if err := checkLimit(c.Limit); err != nil {
		return err
	}
	var out struct {
		Users []userView `json:"users"`
		Next  string     `json:"next,omitempty"`
	}
	if err := a.call(ctx, group.settingFlags, "user.list", map[string]any{"after": c.After, "limit": c.Limit}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	if len(out.Users) == 0 {
		return a.say("There is no account here yet. Make one: ringwall user create --email you@example.org")
	}
	var rows [][]string
	for _, u := range out.Users {
		rows = append(rows, []string{u.Email, u.DisplayName, u.roles(), u.state(), moment(u.CreatedAt), u.ID})
	}
	if err := a.printTable([]string{"ADDRESS", "NAME", "ROLES", "STATE", "MADE", "ID"}, rows); err != nil {
		return err
	}
	if out.Next != "" {
		return a.say("There may be more: ringwall user list --after " + out.Next)
	}
	return nil
}

func (a *app) say(text string) error {
	_, err := fmt.Fprintln(a.out, printable(text))
	return err
}

type userReply struct {
	User     userView      `json:"user"`
	Sessions []sessionView `json:"sessions"`
}

type userShow struct {
	User string `arg:"" help:"An address or id."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userShow) Help() string { return "Example:\n\n    ringwall user show you@example.org" }

// Run shows an account.
func (c *userShow) Run(ctx context.Context, a *app, group *userCommands) error {
	var out userReply
	if err := a.call(ctx, group.settingFlags, "user.show", map[string]string{"user": c.User}, &out); err != nil {
		return err
	}
	if out.Sessions == nil {
		out.Sessions = []sessionView{}
	}
	if c.JSON {
		return a.printJSON(out)
	}
	u := out.User
	if err := a.printFields([][2]string{
		{"Address", u.Email}, {"Name", u.DisplayName}, {"Language", u.language()}, {"Roles", u.roles()}, {"State", u.state()}, {"Made", moment(u.CreatedAt)}, {"Id", u.ID},
	}); err != nil {
		return err
	}
	return a.printSessions(out.Sessions)
}

type userLock struct {
	User   string `arg:"" help:"An address or id."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; it stands in the audit log."`

	Until time.Time     `xor:"end" placeholder:"TIME" help:"When the lock ends by itself, such as 2026-03-12T09:41:00Z."`
	For   time.Duration `xor:"end" placeholder:"TIME" help:"How long the lock lasts, such as 24h."`
	JSON  bool          `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userLock) Help() string {
	return "Every session of the account ends at once. Without --until or --for the lock stays until somebody unlocks.\n\n" +
		"Example:\n\n    ringwall user lock you@example.org --reason 'the laptop was stolen'\n    ringwall user lock you@example.org --for 24h --reason 'asked for it by phone'"
}

// Run locks an account.
func (c *userLock) Run(ctx context.Context, a *app, group *userCommands) error {
	input := map[string]string{"user": c.User, "reason": c.Reason}
	switch {
	case c.For < 0:
		return misuse{errors.New("--for must be longer than nothing")}
	case c.For > 0:
		c.Until = time.Now().Add(c.For)
	}
	if !c.Until.IsZero() {
		input["until"] = c.Until.UTC().Format(time.RFC3339)
	}
	return a.changeUser(ctx, group, "user.lock", input, c.JSON)
}

type userUnlock struct {
	User   string `arg:"" help:"An address or id."`
	Reason string `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userUnlock) Help() string { return "Example:\n\n    ringwall user unlock you@example.org" }

// Run unlocks an account.
func (c *userUnlock) Run(ctx context.Context, a *app, group *userCommands) error {
	return a.changeUser(ctx, group, "user.unlock", map[string]string{"user": c.User, "reason": c.Reason}, c.JSON)
}

type userEmail struct {
	User   string `arg:"" help:"An address or id."`
	Email  string `arg:"" help:"The new address."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, and how you know who asks; it stands in the audit log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userEmail) Help() string {
	return "For somebody who can no longer read mails at the old address. No link is asked for: whoever reads mails at the new one can choose a new password. Every session ends, and both addresses are told.\n\nExample:\n\n    ringwall user email you@example.org you@example.net --reason 'asked at the desk, with passport'"
}

// Run gives an account another address.
func (c *userEmail) Run(ctx context.Context, a *app, group *userCommands) error {
	return a.changeUser(ctx, group, "user.email", map[string]string{"user": c.User, "email": c.Email, "reason": c.Reason}, c.JSON)
}

type userGrant struct {
	User   string `arg:"" help:"An address or id."`
	Role   string `arg:"" help:"The role."`
	Reason string `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userGrant) Help() string { return "Example:\n\n    ringwall user grant you@example.org admin" }

// Run gives a role.
func (c *userGrant) Run(ctx context.Context, a *app, group *userCommands) error {
	return a.changeUser(ctx, group, "user.grant", map[string]string{"user": c.User, "role": c.Role, "reason": c.Reason}, c.JSON)
}

type userRevoke struct {
	User   string `arg:"" help:"An address or id."`
	Role   string `arg:"" help:"The role."`
	Reason string `placeholder:"TEXT" help:"Why; it stands in the audit log."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help is the example.
func (userRevoke) Help() string { return "Example:\n\n    ringwall user revoke you@example.org admin" }

// Run takes a role.
func (c *userRevoke) Run(ctx context.Context, a *app, group *userCommands) error {
	return a.changeUser(ctx, group, "user.revoke", map[string]string{"user": c.User, "role": c.Role, "reason": c.Reason}, c.JSON)
}

// changeUser runs an operation on an account and shows the account as it is then.
func (a *app) changeUser(ctx context.Context, group *userCommands, name string, input map[string]string, asJSON bool) error {
	var out userReply
	if err := a.call(ctx, group.settingFlags, name, input, &out); err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(map[string]any{"user": out.User})
	}
	u := out.User
	return a.say(fmt.Sprintf("%s: %s, roles: %s.", oneLine(u.Email), oneLine(u.state()), oneLine(u.roles())))
}
