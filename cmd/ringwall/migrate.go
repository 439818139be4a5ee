package main

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/settings"
)

type migrateCommands struct {
	settingFlags
	Up     migrateUp     `cmd:"" default:"withargs" help:"Bring the tables up to date, and grant the server's role what it needs."`
	Status migrateStatus `cmd:"" help:"List the migrations, and which are applied."`
	DryRun migrateDryRun `cmd:"" name:"dry-run" help:"Print the SQL that up would run."`
}

// Help is the example.
func (migrateCommands) Help() string {
	return migrateHelp + "ringwall migrate up"
}

const migrateHelp = `On PostgreSQL the owner of the tables migrates (RINGWALL_DATABASE_OWNER), and the role of the server (in RINGWALL_DATABASE) is granted no more than it needs. SQLite is also brought up to date by every start of a server.

Example:

    export RINGWALL_DATABASE_OWNER_FILE=/etc/ringwall/owner
    export RINGWALL_DATABASE_FILE=/etc/ringwall/database
    `

type migrateUp struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is the example.
func (migrateUp) Help() string { return migrateHelp + "ringwall migrate up" }

// Run migrates.
func (c *migrateUp) Run(ctx context.Context, a *app, group *migrateCommands) error {
	o, release, err := a.migration(group.settingFlags, true)
	if err != nil {
		return err
	}
	defer release()
	before, err := ringwall.MigrateStatus(ctx, o)
	if err != nil {
		return err
	}
	if err := ringwall.Migrate(ctx, o); err != nil {
		return err
	}
	var applied []string
	for _, step := range before {
		if !step.Applied {
			applied = append(applied, step.Name)
		}
	}
	switch {
	case c.JSON:
		return a.printJSON(map[string]any{"applied": append([]string{}, applied...)})
	case len(applied) == 0:
		return a.say("The tables are up to date.")
	default:
		return a.say("Applied: " + strings.Join(applied, ", ") + ".")
	}
}

type migrateStatus struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is the example.
func (migrateStatus) Help() string { return migrateHelp + "ringwall migrate status --json" }

type migrationView struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// Run lists the migrations.
func (c *migrateStatus) Run(ctx context.Context, a *app, group *migrateCommands) error {
	o, release, err := a.migration(group.settingFlags, false)
	if err != nil {
		return err
	}
	defer release()
	steps, err := ringwall.MigrateStatus(ctx, o)
	if err != nil {
		return err
	}
	views := []migrationView{}
	var rows [][]string
	for _, step := range steps {
		state := "waits"
		if step.Applied {
			state = "applied"
		}
		views = append(views, migrationView{step.Version, step.Name, step.Applied})
		rows = append(rows, []string{strconv.FormatInt(step.Version, 10), step.Name, state})
	}
	if c.JSON {
		return a.printJSON(map[string]any{"migrations": views})
	}
	return a.printTable([]string{"VERSION", "NAME", "STATE"}, rows)
}

type migrateDryRun struct{}

// Help is the example.
func (migrateDryRun) Help() string { return migrateHelp + "ringwall migrate dry-run" }

// Run prints SQL.
func (c *migrateDryRun) Run(ctx context.Context, a *app, group *migrateCommands) error {
	o, release, err := a.migration(group.settingFlags, false)
	if err != nil {
		return err
	}
	defer release()
	return ringwall.MigrateDryRun(ctx, a.out, o)
}

// migration reads the settings, and takes the data folder if the database is a file that will be written.
func (a *app) migration(flags settingFlags, writes bool) (ringwall.MigrateOptions, func(), error) {
	v, faults := a.readSettings(flags)
	faults = append(faults, migrationFaults(v)...)
	if len(faults) > 0 {
		return ringwall.MigrateOptions{}, nil, refused{"migrate", faults}
	}
	o := ringwall.MigrateOptions{Database: databaseOf(v).Reveal(), DatabaseOwner: v.DatabaseOwner.Reveal()}
	if !hasFolderLock(v) || !writes {
		return o, func() {}, nil
	}
	if err := makeFolder(v.Data); err != nil {
		return o, nil, err
	}
	held, err := holdFolder(v)
	if err != nil {
		return o, nil, err
	}
	return o, held.release, nil
}

func migrationFaults(v *settings.Values) settings.Faults {
	c := &checker{Values: v}
	database := databaseOf(v)
	switch owned := !v.DatabaseOwner.IsZero(); {
	case !isPostgres(database) && !strings.HasPrefix(database.Reveal(), "sqlite:"):
		c.fault("DATABASE", errDatabase.Error()+".")
	case !isPostgres(database) && owned:
		c.fault("DATABASE", "is not PostgreSQL, but RINGWALL_DATABASE_OWNER is set. Set RINGWALL_DATABASE to the same database as the server's role: it is granted what it needs.")
	case isPostgres(database) && !owned:
		c.fault("DATABASE_OWNER", "is not set. On PostgreSQL the owner of the tables migrates, so that the server needs no right to: set it to the same database as its owner, as postgres://owner@host/database.")
	case isPostgres(database) && !isPostgres(v.DatabaseOwner):
		c.fault("DATABASE_OWNER", "is not postgres://…, but RINGWALL_DATABASE is. Set it to the same database as its owner, as postgres://owner@host/database.")
	case isPostgres(database) && userOf(database) == userOf(v.DatabaseOwner):
		c.fault("DATABASE", "names the same role as RINGWALL_DATABASE_OWNER. Make a role of its own for the server, which owns nothing: CREATE ROLE ringwall_runtime LOGIN")
	}
	return c.faults
}

// userOf is the role in the address of a database; empty if it names none.
func userOf(database secret.Text) string {
	u, err := url.Parse(database.Reveal())
	if err != nil {
		return ""
	}
	if name := u.User.Username(); name != "" {
		return name
	}
	return u.Query().Get("user")
}
