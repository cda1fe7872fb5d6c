package server

import (
	"context"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/protocol"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// HertzFilter makes a Hertz middleware a Filter. It runs on a goroutine of its own, with the
// request's head but without its body, while the Exchange is parked, and may block. Where it writes a
// response or aborts, that is the answer; otherwise request fields that it set go upstream, and
// response fields that it set go to the client.
func HertzFilter(h app.HandlerFunc) Filter { return hertzFilter{h} }

type hertzFilter struct{ handler app.HandlerFunc }

// Name implements Filter.
func (hertzFilter) Name() string { return "hertz" }

// Request implements Filter.
func (f hertzFilter) Request(x *Exchange) Verdict {
	req, head := x.Head()
	rc := app.NewContext(0)
	r := &rc.Request
	r.Header.DisableNormalizing()
	rc.Response.Header.DisableNormalizing()
	rc.Response.Header.SetNoDefaultContentType(true)
	r.Header.SetMethodBytes(req.MethodSpan.Of(head))
	r.SetRequestURI(string(req.Target.Of(head)))
	r.SetHost(string(req.Authority.Of(head)))
	for i := range req.Fields {
		field := &req.Fields[i]
		if field.ID == message.FieldHost || field.ID == message.FieldContentLength || field.Hop {
			continue
		}
		r.Header.Add(string(field.Name.Of(head)), string(field.Value.Of(head)))
	}
	rc.SetClientIPFunc(func(remote string) app.ClientIP {
		return func(*app.RequestContext) string { return remote }
	}(x.Remote().Addr().String()))
	before := fieldsOf(&r.Header)
	return x.Park(func() func(*Exchange) Verdict {
		f.run(rc)
		return func(x *Exchange) Verdict {
			body := rc.Response.Body()
			if rc.IsAborted() || len(body) > 0 || rc.Response.StatusCode() != 200 {
				var fields []byte
				rc.Response.Header.VisitAll(func(k, v []byte) {
					switch message.LookupField(k) {
					case message.FieldContentLength, message.FieldTransferEncoding, message.FieldConnection, message.FieldDate:
					default:
						fields = h1.AppendField(fields, k, v)
					}
				})
				return x.Respond(rc.Response.StatusCode(), fields, body)
			}
			for name, value := range fieldsOf(&r.Header) {
				if before[name] != value {
					x.DropRequestField(name)
					x.AddRequestField(name, value)
				}
			}
			rc.Response.Header.VisitAll(func(k, v []byte) {
				switch message.LookupField(k) {
				case message.FieldContentLength, message.FieldTransferEncoding, message.FieldConnection, message.FieldDate, message.FieldContentType, message.FieldServer:
				default:
					x.AddResponseField(string(k), string(v))
				}
			})
			return Continue
		}
	})
}

func (f hertzFilter) run(rc *app.RequestContext) {
	rc.SetHandlers(app.HandlersChain{f.handler})
	rc.SetIndex(-1)
	rc.Next(context.Background())
}

func fieldsOf(h *protocol.RequestHeader) map[string]string {
	fields := map[string]string{}
	h.VisitAll(func(k, v []byte) {
		switch message.LookupField(k) {
		case message.FieldHost, message.FieldContentLength, message.FieldUserAgent:
		default:
			fields[string(k)] = string(v)
		}
	})
	return fields
}
