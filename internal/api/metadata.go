package api

import (
	"context"
	"encoding/json"

	"github.com/ringwall/ringwall/internal/account"
	"github.com/ringwall/ringwall/internal/chain"
)

type allMetadata struct {
	Public  json.RawMessage `json:"public" doc:"The person reads it."`
	Private json.RawMessage `json:"private" doc:"The person sees it in the export of their data alone."`
	Own     json.RawMessage `json:"own" doc:"The person writes it, so nothing may rely on it."`
}

type adminMetadataReply struct {
	Metadata allMetadata `json:"metadata"`
}

func describeMetadata(m account.Metadata) reply[adminMetadataReply] {
	return reply[adminMetadataReply]{body: &adminMetadataReply{allMetadata(m)}}
}

func (a *API) adminMetadata(ctx context.Context, req *chain.Request, in userID) (reply[adminMetadataReply], error) {
	user, err := a.accounts.FindUser(ctx, req.Actor, in.ID.String())
	if err != nil {
		return reply[adminMetadataReply]{}, err
	}
	found, err := a.accounts.MetadataOf(ctx, req.Actor, user.ID)
	return describeMetadata(found), err
}

type metadataChange struct {
	because
	Public  json.RawMessage `json:"public,omitempty" doc:"A JSON merge patch (RFC 7396): what is left out stays, null takes a member away, or empties the part. It must fit the service's schema."`
	Private json.RawMessage `json:"private,omitempty" doc:"As public."`
	Own     json.RawMessage `json:"own,omitempty" doc:"As public."`
}

type changeMetadata = withBody[userID, metadataChange]

func (a *API) adminChangeMetadata(ctx context.Context, req *chain.Request, in changeMetadata) (reply[adminMetadataReply], error) {
	after, err := a.accounts.SetMetadata(ctx, req.Actor, in.Path.ID, account.Metadata{Public: in.Body.Public, Private: in.Body.Private, Own: in.Body.Own}, in.Body.Reason)
	return describeMetadata(after), err
}
