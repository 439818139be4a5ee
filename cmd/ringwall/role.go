package main

import "context"

type roleCommands struct {
	settingFlags
	List  roleList  `cmd:"" help:"List what each role allows."`
	Allow roleAllow `cmd:"" help:"Give a role a permission."`
	Deny  roleDeny  `cmd:"" help:"Take a permission from a role."`
}

// Help is the example.
func (roleCommands) Help() string {
	return "An application asks for permissions; people hold roles (see user grant).\n\nExample:\n\n    ringwall role list"
}

type roleView struct {
	Role       string `json:"role"`
	Permission string `json:"permission"`
	From       string `json:"from"`
}

type rolesReply struct {
	Roles []roleView `json:"roles"`
}

type roleList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is the example.
func (roleList) Help() string {
	return "FROM is the database, which role allow and role deny change, or the options of the program.\n\nExample:\n\n    ringwall role list"
}

// Run lists what roles allow.
func (c *roleList) Run(ctx context.Context, a *app, group *roleCommands) error {
	var out rolesReply
	if err := a.call(ctx, group.settingFlags, "role.list", struct{}{}, &out); err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(out)
	}
	if len(out.Roles) == 0 {
		return a.say("No role allows anything besides what its name opens. See `ringwall role allow --help`.")
	}
	var rows [][]string
	for _, r := range out.Roles {
		rows = append(rows, []string{r.Role, r.Permission, r.From})
	}
	return a.printTable([]string{"ROLE", "PERMISSION", "FROM"}, rows)
}

// roleMapping is what both changes take.
type roleMapping struct {
	Role       string `arg:"" help:"The role."`
	Permission string `arg:"" help:"The permission, such as ledger.read."`
	Reason     string `required:"" placeholder:"TEXT" help:"Why; it goes into the audit log."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

func (m roleMapping) change(ctx context.Context, a *app, group *roleCommands, command, done string) error {
	var out rolesReply
	if err := a.call(ctx, group.settingFlags, command, map[string]string{"role": m.Role, "permission": m.Permission, "reason": m.Reason}, &out); err != nil {
		return err
	}
	if m.JSON {
		return a.printJSON(out)
	}
	return a.say("The role " + oneLine(m.Role) + " " + done + " " + oneLine(m.Permission) + ", from the next request on.")
}

type roleAllow struct {
	roleMapping
}

// Help is the example.
func (roleAllow) Help() string {
	return "It acts on the next request of everybody who holds the role, on every node. The role admin has its own routes by its name; no permission opens these.\n\nExample:\n\n    ringwall role allow auditor ledger.read --reason 'the audit of 2026'"
}

// Run gives a role a permission.
func (c *roleAllow) Run(ctx context.Context, a *app, group *roleCommands) error {
	return c.change(ctx, a, group, "role.allow", "allows")
}

type roleDeny struct {
	roleMapping
}

// Help is the example.
func (roleDeny) Help() string {
	return "It acts on the next request of everybody who holds the role, on every node.\n\nExample:\n\n    ringwall role deny auditor ledger.read --reason 'the audit is over'"
}

// Run takes a permission from a role.
func (c *roleDeny) Run(ctx context.Context, a *app, group *roleCommands) error {
	return c.change(ctx, a, group, "role.deny", "does not allow")
}
