package api

import (
	"context"
	"net/http"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
	"github.com/ringwall/ringwall/internal/problem"
)

type signUpInput struct {
	Email       string `json:"email" required:"true" maxLength:"254" doc:"The address that the link is mailed to."`
	Password    string `json:"password" anyText:"true" required:"true" maxLength:"1024" doc:"15 to 256 characters; any character counts."`
	DisplayName string `json:"display_name,omitempty" maxLength:"100" doc:"How pages and mails greet the person; at most 100 characters."`
	Challenge   string `json:"challenge,omitempty" maxLength:"2048" doc:"The solution of the challenge, if one was asked for."`
}

func (a *API) signUp(ctx context.Context, req *chain.Request, in signUpInput) (reply[none], error) {
	flow, err := a.accounts.SignUp(ctx, req.Actor, account.SignUp{Email: in.Email, Password: in.Password, DisplayName: in.DisplayName, Challenge: in.Challenge, Lang: req.Lang()})
	return reply[none]{cookies: func(w http.ResponseWriter) { a.chain.Cookies.SetFlow(w, flow) }}, err
}

type verifyInput struct {
	Token    string `json:"token,omitempty" maxLength:"100" doc:"Of the mailed link; or email and code."`
	Email    string `json:"email,omitempty" maxLength:"254"`
	Code     string `json:"code,omitempty" maxLength:"20" doc:"Of the mail; upper or lower case, with or without the hyphen."`
	Password string `json:"password,omitempty" anyText:"true" maxLength:"1024" doc:"The password of the sign-up; needed where the sign-up's cookie is missing."`
}

func (a *API) verifyEmail(ctx context.Context, req *chain.Request, in verifyInput) (reply[none], error) {
	done := reply[none]{cookies: a.chain.Cookies.ClearFlow}
	switch {
	case in.Token != "" && in.Email == "" && in.Code == "":
		return done, a.accounts.ConfirmByToken(ctx, req.Actor, in.Token, req.Flow, in.Password)
	case in.Token == "" && in.Email != "" && in.Code != "":
		return done, a.accounts.ConfirmByCode(ctx, req.Actor, in.Email, in.Code, req.Flow, in.Password)
	default:
		return done, problem.New(problem.Invalid, "invalid", "Send either `token`, or `email` and `code`.").
			With(problem.Field{Name: "token", Code: "required", Detail: "Send the token of the link, or email and code."})
	}
}

type resendInput struct {
	Email     string `json:"email" required:"true" maxLength:"254"`
	Challenge string `json:"challenge,omitempty" maxLength:"2048" doc:"The solution of the challenge, if one was asked for."`
}

func (a *API) resendEmail(ctx context.Context, req *chain.Request, in resendInput) (reply[none], error) {
	return reply[none]{}, a.accounts.ResendConfirmation(ctx, req.Actor, account.Resend{Email: in.Email, FlowCookie: req.Flow, Challenge: in.Challenge, Lang: req.Lang()})
}

type forgotInput struct {
	Email     string `json:"email" required:"true" maxLength:"254"`
	Challenge string `json:"challenge,omitempty" maxLength:"2048" doc:"The solution of the challenge, if one was asked for."`
}

func (a *API) forgotPassword(ctx context.Context, req *chain.Request, in forgotInput) (reply[none], error) {
	return reply[none]{}, a.accounts.ForgotPassword(ctx, req.Actor, account.Forgotten{Email: in.Email, DeviceCookie: req.Device, Challenge: in.Challenge, Lang: req.Lang()})
}

type resetInput struct {
	Token    string `json:"token" required:"true" maxLength:"100" doc:"Of the mailed link."`
	Password string `json:"password" anyText:"true" required:"true" maxLength:"1024"`
}

func (a *API) resetPassword(ctx context.Context, req *chain.Request, in resetInput) (reply[none], error) {
	device, err := a.accounts.ResetPassword(ctx, req.Actor, in.Token, in.Password, req.Device, req.Lang())
	return reply[none]{cookies: func(w http.ResponseWriter) { a.chain.Cookies.RememberDevice(w, device) }}, err
}

type changeInput struct {
	Current string `json:"current_password" anyText:"true" required:"true" maxLength:"1024"`
	New     string `json:"new_password" anyText:"true" required:"true" maxLength:"1024"`
}

func (a *API) changePassword(ctx context.Context, req *chain.Request, in changeInput) (reply[signedIn], error) {
	out, err := a.accounts.ChangePassword(ctx, req.Actor, in.Current, in.New, req.Device, req.Lang())
	if weak := problem.From(err); err != nil && weak.Code == "password-weak" {
		err = weak.With(problem.Field{Name: "/new_password", Code: weak.Fields[0].Code, Detail: weak.Fields[0].Detail})
	}
	return a.begin(out), err
}
