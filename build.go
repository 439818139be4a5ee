package ringwall

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/alerts"
	"github.com/ringwall/ringwall/internal/api"
	"github.com/ringwall/ringwall/internal/audit"
	"github.com/ringwall/ringwall/internal/ceiling"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/challenge"
	"github.com/ringwall/ringwall/internal/identity"
	"github.com/ringwall/ringwall/internal/lifecycle"
	"github.com/ringwall/ringwall/internal/limits"
	"github.com/ringwall/ringwall/internal/mail"
	"github.com/ringwall/ringwall/internal/secret"
	"github.com/ringwall/ringwall/internal/sessions"
	"github.com/ringwall/ringwall/internal/sqlstore"
	"github.com/ringwall/ringwall/internal/watch"
	"github.com/ringwall/ringwall/internal/web"
	"github.com/ringwall/ringwall/internal/webhook"
	"github.com/ringwall/ringwall/outbound"
	"github.com/ringwall/ringwall/password"
	"github.com/ringwall/ringwall/password/breach"
	"github.com/ringwall/ringwall/ratelimit"
)

// build joins the parts: the one place where they meet.
func (rw *Ringwall) build(ctx context.Context, master secret.MasterKey) (err error) {
	o := rw.opt
	if err := rw.refuseOwner(ctx); err != nil {
		return err
	}
	if err := rw.store.ClaimEnvironment(ctx, o.Environment); err != nil {
		return err
	}
	if rw.keys, err = secret.OpenKeyring(ctx, master, o.Environment, rw.store, o.Now); err != nil {
		return err
	}
	rw.store.UseKeyring(rw.keys)
	rw.archive = audit.NewArchive(rw.store, audit.NewBuilder(rw.keys, o.Now))
	sender, err := rw.sender()
	if err != nil {
		return err
	}
	rw.sessions = sessions.New(rw.store, o.sessionOptions())
	if rw.queue, err = password.NewQueue(password.QueueOptions{Slots: o.HashSlots, SlotBytes: max(64<<20, int64(o.Argon2id.MemoryKiB)<<10)}); err != nil {
		return err
	}
	if rw.hasher, err = password.NewHasher(rw.queue, o.Argon2id); err != nil {
		return err
	}
	if err := rw.prepareHasher(ctx); err != nil {
		return err
	}
	breaches, err := rw.openBreaches()
	if err != nil {
		return err
	}
	refusals := audit.NewRefusals(rw.store, audit.RefusalsOptions{Now: o.Now, Log: o.Log})
	if rw.blocks, err = limits.NewBlocks(ctx, rw.store, limits.BlocksOptions{Shared: rw.store.Shared(), Now: o.Now, Log: o.Log}); err != nil {
		return err
	}
	hooks, err := rw.buildWebhooks()
	if err != nil {
		return err
	}
	rw.buildAlerts()
	addresses, err := limits.NewAddresses(limits.Options{
		Windows: o.LimitAddress, TellProxy: !o.Development && o.TrustedProxyHeader == "", Alerts: rw.alerts, Now: o.Now, Log: o.Log,
	})
	if err != nil {
		return err
	}
	requests, err := o.apiLimiter()
	if err != nil {
		return err
	}
	schemas, err := o.metadataSchemas()
	if err != nil {
		return err
	}
	challenger := o.Challenger
	if challenger == nil {
		challenger = challenge.NewWork(challenge.WorkOptions{Keys: rw.keys, Store: rw.store, Now: o.Now})
	}
	rw.ceiling = ceiling.New(ceiling.Options{ // that all nodes share
		Store: rw.store, Challenger: challenger, Limit: int64(o.LimitGlobal), Capacity: rw.hasher.PerMinute, Alerts: rw.alerts, Now: o.Now, Log: o.Log,
	})
	rw.accounts = account.New(account.Config{
		Store: rw.store, Keys: rw.keys, Hasher: rw.hasher, Policy: password.Policy{MinLength: o.PasswordMinLength}, Breaches: breaches, Engine: rw.sessions,
		Refusals: refusals, Archive: rw.archive, Attempts: o.attempts(), Mails: o.LimitMails, Alerts: rw.alerts, Signup: o.signupPolicy(), Addresses: addresses, API: requests, Ceiling: rw.ceiling, Watch: rw.watch, Blocks: rw.blocks, Metadata: schemas, Origin: o.Origins[0], Prefix: o.Prefix, Name: o.ServiceName, Now: o.Now, Log: o.Log,
		Challenger: challenger, DeletionDelay: o.DeletionDelay, Lifecycle: rw.follower,
	})
	if err := rw.buildHandler(refusals, requests); err != nil {
		return err
	}
	rw.start(mail.NewWorker(rw.store, sender, mail.WorkerOptions{Now: o.Now, Log: o.Log}), audit.NewSealer(rw.store, rw.keys, audit.SealerOptions{Now: o.Now, Log: o.Log}), refusals, rw.alerts, hooks)
	return nil
}

// The receivers among the targets of webhooks, by name.
const (
	alertTarget  = "alerts"
	eventsTarget = "events"
)

// buildWebhooks makes what follows changes, and the worker that delivers. A receiver that is not set any more takes
// nothing: what waits for it is given up in the end.
func (rw *Ringwall) buildWebhooks() (*webhook.Worker, error) {
	o := rw.opt
	targets := map[string]webhook.Target{alertTarget: {}, eventsTarget: {}}
	for name, set := range map[string][2]Secret{alertTarget: {o.AlertWebhook, o.AlertWebhookSecret}, eventsTarget: {o.EventsWebhook, o.EventsWebhookSecret}} {
		if set[0].IsZero() {
			continue
		}
		sign, err := webhook.ParseSecret(set[1])
		if err != nil {
			return nil, err
		}
		targets[name] = webhook.Target{URL: set[0], Secret: sign}
	}
	following := lifecycle.Options{Hooks: o.Hooks.adapt(), Now: o.Now, Log: o.Log}
	if !o.EventsWebhook.IsZero() {
		following.Target = eventsTarget
	}
	if rw.follower = lifecycle.New(following); !rw.follower.Idle() {
		rw.store.Follow(rw.follower.Follow)
	}
	return webhook.NewWorker(rw.store, targets, webhook.WorkerOptions{
		Client: outbound.Client(outbound.Options{InsecureNetworks: o.InsecureWebhookNetworks, InsecureHTTP: o.Development}), Now: o.Now, Log: o.Log,
	}), nil
}

// buildAlerts makes what recognises and what tells.
func (rw *Ringwall) buildAlerts() {
	o := rw.opt
	options := alerts.Options{
		By: identity.NewSystem("alerts"), Mail: o.AlertMail, Lang: o.AlertLanguage, Origin: o.Origins[0], Service: o.ServiceName, Now: o.Now, Log: o.Log,
	}
	if !o.AlertWebhook.IsZero() {
		options.Webhook = alertTarget
	}
	rw.alerts = alerts.New(rw.store, options)
	rw.watch = watch.New(rw.alerts, watch.Options{Now: o.Now})
}

// openBreaches opens what new passwords are looked up in; nil for nothing.
func (rw *Ringwall) openBreaches() (account.Breaches, error) {
	where := rw.opt.BreachCheck
	switch {
	case where == "" || where == "off":
		return nil, nil
	case strings.Contains(where, "://"):
		return breach.NewRange(where), nil
	}
	file, err := breach.Open(where)
	if err != nil {
		return nil, fmt.Errorf("breach check: %w", err)
	}
	rw.breaches = file
	return file, nil
}

func (rw *Ringwall) closeBreaches() error {
	if rw.breaches == nil {
		return nil
	}
	return rw.breaches.Close()
}

func (rw *Ringwall) sender() (mail.Sender, error) {
	if rw.opt.Development && rw.opt.SMTP.IsZero() {
		return sqlstore.DevSender{Store: rw.store}, nil
	}
	relay, err := mail.ParseSMTP(rw.opt.SMTP)
	if err != nil {
		return nil, err
	}
	return mail.NewSMTP(relay, rw.opt.MailFrom, mail.SMTPOptions{})
}

func (rw *Ringwall) buildHandler(refusals *audit.Refusals, requests *ratelimit.Limiter) (err error) {
	o := rw.opt
	rw.chain, err = chain.New(chain.Config{
		Sessions: rw.sessions, Keys: rw.keys, Refusals: refusals, Watch: rw.watch, Blocks: rw.blocks, API: requests, Origins: o.Origins, CORS: o.CORS, Prefix: o.Prefix,
		TrustedProxies: o.TrustedProxies, ProxyHeader: o.TrustedProxyHeader, AdminNetworks: o.AdminNetworks, Roles: o.Roles, Development: o.Development, Now: o.Now, Log: o.Log,
	})
	if err != nil {
		return err
	}
	pages, err := web.New(web.Config{
		Accounts: rw.accounts, Cookies: rw.chain.Cookies,
		Seal:   func(plain []byte) []byte { return rw.keys.Seal(secret.Flows, "note", plain) },
		Open:   func(sealed []byte) ([]byte, error) { return rw.keys.Open(secret.Flows, "note", sealed) },
		Prefix: o.Prefix, Service: o.ServiceName, PasswordMinLength: o.PasswordMinLength,
		PasswordChanged: rw.accounts.PasswordChanged, DeletionDelay: o.DeletionDelay, Challenge: rw.accounts.Challenge, Development: o.Development, Mails: rw.devMails, Operations: rw.operations, Fail: rw.chain.Fail, Now: o.Now,
	})
	if err != nil {
		return err
	}
	rw.chain.ShowErrors(pages.Error)
	rw.routes = append(api.New(rw.accounts, rw.chain).Routes(), pages.Routes()...)
	rw.routes = append(rw.routes, api.OpenAPI(rw.chain, o.Origins[0], rw.routes))
	rw.table = rw.chain.Serve(rw.routes)
	return nil
}

// operations are what the readable page of the API lists.
func (rw *Ringwall) operations() []web.Operation {
	var list []web.Operation
	for _, r := range rw.routes {
		if !r.Page && r.Status != 0 {
			list = append(list, web.OperationOf(r, rw.opt.Prefix))
		}
	}
	return list
}

// recordServing puts the start of a server into the audit log, once. Commands, which do not serve, leave none.
func (rw *Ringwall) recordServing() {
	rw.serving.Do(func() {
		rw.served.Store(true)
		close(rw.begun)
		rw.record(context.Background(), audit.SysStartup)
	})
}

// record writes an event of the server itself. A store that cannot take it has told its trouble already, and does not
// keep the server from starting or stopping.
func (rw *Ringwall) record(ctx context.Context, event audit.Name) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := rw.store.Change(ctx, identity.NewSystem("ringwall"), func(context.Context, account.Tx) (audit.Event, error) {
		return audit.Event{Name: event}, nil
	})
	if err != nil {
		rw.opt.Log.ErrorContext(ctx, "the audit log has no event for this start or stop", "event", string(event), "error", err)
	}
}

type runner interface{ Run(context.Context) }

// start begins the workers. Refusals and alerts end before the sealer, so that their last rows are sealed too.
func (rw *Ringwall) start(mails *mail.Worker, sealer *audit.Sealer, refusals *audit.Refusals, bell *alerts.Alerts, hooks *webhook.Worker) {
	rw.store.OnCommit(mails.Wake, sealer.Wake)
	rw.store.OnWebhook(hooks.Wake)
	ctx, stop := context.WithCancel(context.Background())
	sealing, stopSealing := context.WithCancel(context.Background())
	rw.stop = stop
	for _, worker := range []runner{mails, rw.sessions, refusals, rw.ceiling, whenServing{rw, bell}, whenServing{rw, hooks}, purger{rw}, shapeWatcher{rw}} {
		rw.workers.Go(func() { worker.Run(ctx) })
	}
	var sealed = make(chan struct{})
	go func() {
		sealer.Run(sealing)
		close(sealed)
	}()
	rw.last = func() {
		stopSealing()
		<-sealed
	}
	// Mails and rows of an earlier run may be waiting.
	mails.Wake()
	sealer.Wake()
}

// whenServing waits with a worker until this process serves. A command of an operator may know nobody to tell, and must not
// close an alert or give up a webhook in the place of a server that does.
type whenServing struct {
	rw *Ringwall
	runner
}

// Run waits, and runs the worker until ctx ends.
func (w whenServing) Run(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.rw.begun:
		w.runner.Run(ctx)
	}
}

// purger deletes what has expired.
type purger struct{ rw *Ringwall }

const purgeEvery = 10 * time.Minute

// Run clears up until ctx ends.
func (p purger) Run(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		p.deleteDue(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := p.rw.store.Purge(ctx, p.rw.opt.Now().UnixMicro()); err != nil && ctx.Err() == nil {
			p.rw.opt.Log.WarnContext(ctx, "expired rows not cleared; trying again in ten minutes", "error", err)
		}
	}
}

// deleteDue deletes the accounts whose delay is over, also those that became due while no server ran.
func (p purger) deleteDue(ctx context.Context) {
	n, err := p.rw.accounts.DeleteDue(ctx, identity.NewSystem("deletion"))
	if n > 0 {
		p.rw.opt.Log.InfoContext(ctx, "accounts deleted", "accounts", n)
	}
	if err != nil && ctx.Err() == nil {
		p.rw.opt.Log.WarnContext(ctx, "an account that is due is not deleted; trying again in ten minutes", "error", err)
	}
}

func (rw *Ringwall) devMails(ctx context.Context) ([]mail.Message, error) {
	stored, err := rw.store.DevMails(ctx)
	list := make([]mail.Message, 0, len(stored))
	for _, m := range stored {
		list = append(list, m.Message)
	}
	return list, err
}
