package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/ringwall/ringwall"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/settings"
	"github.com/ringwall/ringwall/ratelimit"
)

const (
	developmentName = "development"
	productionName  = "production"
	masterKeyName   = "master.key"
	databaseName    = "ringwall.db"

	accountTriesMost    = 100
	accountWindowMost   = 24 * time.Hour
	limitMost           = 31 * 24 * time.Hour
	limitCountMost      = 1_000_000
	passwordLengthFloor = 15
	passwordLengthMost  = 128
	sessionsMost        = 100
	absoluteMost        = 30 * 24 * time.Hour
	rememberedMost      = 400 * 24 * time.Hour
)

// databaseOf is the database in force: the one that is set, or a file in the data folder.
func databaseOf(v *settings.Values) secret.Text {
	if !v.Database.IsZero() {
		return v.Database
	}
	return secret.NewText("sqlite:" + filepath.Join(v.Data, databaseName))
}

func isPostgres(database secret.Text) bool {
	return strings.HasPrefix(database.Reveal(), "postgres://") || strings.HasPrefix(database.Reveal(), "postgresql://")
}

// optionsOf turns settings into the options of the library.
func optionsOf(v *settings.Values, logger *slog.Logger) ringwall.Options {
	o := ringwall.Options{
		Database:           databaseOf(v).Reveal(),
		Origins:            v.Origins,
		Prefix:             v.Prefix,
		Environment:        v.Environment,
		MasterKey:          v.MasterKey,
		SMTP:               v.SMTP,
		MailFrom:           v.MailFrom,
		ServiceName:        v.ServiceName,
		Signup:             v.Signup,
		SignupDomains:      v.SignupDomains,
		Argon2id:           v.Argon2id,
		PasswordMinLength:  v.PasswordMinLength,
		BreachCheck:        v.BreachCheck,
		MetadataSchema:     v.MetadataSchema,
		SessionIdle:        v.SessionIdle,
		SessionAbsolute:    v.SessionAbsolute,
		SessionRemembered:  v.SessionRemembered,
		SessionMax:         v.SessionMax,
		SessionCacheBytes:  int64(v.SessionCacheBytes),
		DeletionDelay:      v.DeletionDelay,
		LimitGlobal:        perMinute(v, "LIMIT_GLOBAL", v.LimitGlobal),
		LimitMails:         perMinute(v, "LIMIT_MAILS", v.LimitMails),
		TrustedProxies:     v.TrustedProxies,
		TrustedProxyHeader: v.TrustedProxyHeader,
		LimitAddress:       windows(v.LimitAddress),
		NoLimitAddress:     v.LimitAddress == nil,
		LimitAccount:       ratelimit.Window{Quota: v.LimitAccount.Count, Per: v.LimitAccount.Per},
		NoLimitAccount:     v.LimitAccount == settings.Limit{},
		LimitAPI:           windows(v.LimitAPI),
		NoLimitAPI:         v.LimitAPI == nil,
		AlertMail:          v.AlertMail,
		AlertLanguage:      v.AlertLanguage,
		AlertWebhook:       v.AlertWebhook,
		AlertWebhookSecret: v.AlertWebhookSecret,
		AdminNetworks:      v.AdminNetworks,
		Log:                logger,

		EventsWebhook:           v.EventsWebhook,
		EventsWebhookSecret:     v.EventsWebhookSecret,
		InsecureWebhookNetworks: v.InsecureWebhook,
	}
	if v.MasterKey.IsZero() {
		o.MasterKeyFile = filepath.Join(v.Data, masterKeyName)
	}
	return o
}

func windows(limits settings.Limits) (list []ratelimit.Window) {
	for _, limit := range limits {
		list = append(list, ratelimit.Window{Quota: limit.Count, Per: limit.Per})
	}
	return list
}

// perMinute is a limit of so many a minute: zero for the default, negative for none.
func perMinute(v *settings.Values, name string, limit settings.Limit) int {
	if v.Source(name).Given() && limit.Count == 0 {
		return -1
	}
	return limit.Count
}

// readSettings joins flags and variables, and makes the path of the data folder absolute.
func (a *app) readSettings(flags settingFlags) (*settings.Values, settings.Faults) {
	v, faults := settings.Read(flags.given(), a.environ)
	if path, err := filepath.Abs(v.Data); err == nil {
		v.Data = path
	}
	return v, faults
}

// placeOf tells which database is meant, without user and password.
func placeOf(database secret.Text) string {
	if path, ok := strings.CutPrefix(database.Reveal(), "sqlite:"); ok {
		if absolute, err := filepath.Abs(path); err == nil {
			return "sqlite:" + absolute
		}
	}
	u, err := url.Parse(database.Reveal())
	if err != nil {
		return ""
	}
	return "postgres://" + u.Host + u.Path
}

// holdFolder takes the data folder and the database file, which may lie elsewhere.
func holdFolder(v *settings.Values) (*folder, error) {
	held, err := takeFolder(v.Data)
	if err != nil {
		return nil, err
	}
	if path, ok := strings.CutPrefix(placeOf(databaseOf(v)), "sqlite:"); ok {
		if err := held.takeDatabase(path); err != nil {
			held.release()
			return nil, err
		}
	}
	return held, nil
}

// hasFolderLock reports whether the database lies in one file that only one process may write.
func hasFolderLock(v *settings.Values) bool { return !isPostgres(databaseOf(v)) }

var errDatabase = errors.New("is neither sqlite:PATH nor postgres://…")

// checkDatabase looks at the form alone.
func checkDatabase(v *settings.Values) settings.Faults {
	text := databaseOf(v)
	if isPostgres(text) || strings.HasPrefix(text.Reveal(), "sqlite:") {
		return nil
	}
	return settings.Faults{{Setting: v.Source("DATABASE").From, Detail: fmt.Sprintf("%v.", errDatabase)}}
}

// inSettings calls options as whoever set them did: LimitAddress is RINGWALL_LIMIT_ADDRESS here.
func inSettings(text string) string {
	names := make(map[string]string)
	for _, s := range settings.Table() {
		option := strings.ReplaceAll(s.Name, "_", "")
		names[option], names["NO"+option] = s.Variable(), s.Variable()+"=off"
	}
	// An option stands first in its line, or has a capital inside.
	return regexp.MustCompile(`(?m)^[A-Z][A-Za-z]+|\bSMTP\b|\b[A-Z][a-z]+[A-Z][A-Za-z]*`).ReplaceAllStringFunc(text, func(word string) string {
		return cmp.Or(names[strings.ToUpper(word)], word)
	})
}
