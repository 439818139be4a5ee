package main

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/ringwall/ringwall/internal/settings"
)

type commands struct {
	Dev      devCommand       `cmd:"" help:"Start on this machine, with nothing to configure."`
	Serve    serveCommand     `cmd:"" help:"Serve people. Refuses to start unsafe."`
	Migrate  migrateCommands  `cmd:"" help:"Bring the tables of the database up to date."`
	User     userCommands     `cmd:"" help:"Look after people."`
	Session  sessionCommands  `cmd:"" help:"Look after sessions."`
	Role     roleCommands     `cmd:"" help:"Say what roles allow."`
	Policy   policyCommand    `cmd:"" help:"List every route with its rule."`
	Limits   limitsCommands   `cmd:"" help:"See and lift what holds people up, and keep networks out."`
	Audit    auditCommands    `cmd:"" help:"Read and check the audit log."`
	Alert    alertCommands    `cmd:"" help:"See what goes on."`
	Webhook  webhookCommands  `cmd:"" help:"Look after webhooks that were given up."`
	Password passwordCommands `cmd:"" help:"Measure what passwords cost, and prepare the check for known ones."`
	Init     initCommand      `cmd:"" help:"Make a small hardened service to begin with."`
	Vet      vetCommand       `cmd:"" help:"Look for doors around Ringwall's packages in the source of a program."`
	Version  versionCommand   `cmd:"" help:"Print the version."`
}

func newCommands() *commands {
	c := &commands{}
	c.Dev.settingFlags = newSettingFlags(settings.Dev)
	c.Serve.settingFlags = newSettingFlags(settings.Serve)
	c.Migrate.settingFlags = newSettingFlags(settings.Migrate)
	for _, flags := range []*settingFlags{&c.User.settingFlags, &c.Session.settingFlags, &c.Role.settingFlags, &c.Policy.settingFlags, &c.Limits.settingFlags, &c.Audit.settingFlags, &c.Alert.settingFlags, &c.Webhook.settingFlags} {
		*flags = newSettingFlags(settings.Operate)
	}
	return c
}

// settingFlags are the flags that come from the declaration of settings.
type settingFlags struct {
	kong.Plugins // one pointer to a struct, with a *string for each setting
}

// newSettingFlags makes the flags of a command's settings. Secrets have hidden flags, so that one who tries them is told
// how to do better; commands that seldom need more than the data folder show no more than that.
func newSettingFlags(by settings.Users) settingFlags {
	var fields []reflect.StructField
	for _, s := range settings.Table() {
		if s.Users&by == 0 {
			continue
		}
		tag := `name:"` + s.Flag() + `" help:` + strconv.Quote(s.FlagHelp()) + ` placeholder:` + strconv.Quote(strings.ToUpper(s.Kind()))
		if s.Secrecy == settings.Hidden || by == settings.Operate && s.Name != "DATA" {
			tag += ` hidden:""`
		}
		fields = append(fields, reflect.StructField{Name: s.Name, Type: reflect.TypeFor[*string](), Tag: reflect.StructTag(tag)})
	}
	return settingFlags{kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}}
}

// given are the flags that stood on the command line, by the name of the setting.
func (f settingFlags) given() map[string]string {
	found := map[string]string{}
	for _, plugin := range f.Plugins {
		fields := reflect.ValueOf(plugin).Elem()
		for i := range fields.NumField() {
			if text, ok := fields.Field(i).Interface().(*string); ok && text != nil {
				found[fields.Type().Field(i).Name] = *text
			}
		}
	}
	return found
}
