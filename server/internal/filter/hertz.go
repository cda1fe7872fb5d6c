package filter

import (
	"bytes"
	"context"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/protocol"

	"github.com/sluice-gateway/sluice/server/internal/exchange"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Hertz makes a Hertz middleware a Filter. The middleware runs on a goroutine of its own while the Exchange is parked, with
// the request's head but without its body. It may block: its context ends when the client has left. A response that it
// writes, or an abort, answers the request; otherwise request fields that it set go upstream, those that it deleted do not,
// and response fields that it set go to the client. Field names are in Hertz's spelling, whatever the client's.
func Hertz(h app.HandlerFunc) exchange.Filter { return hertzFilter{h, "hertz " + functionName(h)} }

type hertzFilter struct {
	handler app.HandlerFunc
	name    string
}

// Name implements Filter: of several middlewares the log tells which one it is about.
func (f hertzFilter) Name() string { return f.name }

// functionName returns the name of h with its package, such as jwt.(*HertzJWTMiddleware).MiddlewareFunc.func1.
func functionName(h app.HandlerFunc) string {
	name := "unknown"
	if f := runtime.FuncForPC(reflect.ValueOf(h).Pointer()); f != nil {
		name = f.Name()
	}
	return name[strings.LastIndexByte(name, '/')+1:]
}

// Request implements RequestFilter.
func (f hertzFilter) Request(x *exchange.Exchange) exchange.Verdict {
	req, head := x.Head()
	rc := app.NewContext(0)
	r := &rc.Request
	rc.Response.Header.SetNoDefaultContentType(true)
	r.Header.SetMethodBytes(req.MethodSpan.Of(head))
	r.SetRequestURI(string(req.Target.Of(head)))
	r.SetHost(string(req.Authority.Of(head)))
	add := func(name, value []byte) {
		if id := message.LookupField(name); id != message.FieldHost && id != message.FieldContentLength {
			r.Header.Add(string(name), string(value))
		}
	}
	for i := range req.Fields {
		if field := &req.Fields[i]; !field.Hop {
			add(field.Name.Of(head), field.Value.Of(head))
		}
	}
	for rest := x.AddedRequestFields(); len(rest) > 0; {
		var line []byte
		line, rest = message.CutLine(rest)
		name, value, _ := bytes.Cut(line, []byte(":"))
		add(name, bytes.TrimSpace(value))
	}
	rc.SetClientIPFunc(func(remote string) app.ClientIP {
		return func(*app.RequestContext) string { return remote }
	}(x.Client().String()))
	before := fieldsOf(&r.Header)
	return x.Park(func(ctx context.Context) func(*exchange.Exchange) exchange.Verdict {
		f.run(ctx, rc)
		return func(x *exchange.Exchange) exchange.Verdict { return f.apply(x, rc, before) }
	})
}

// apply carries the result of the middleware over to x: its answer, or its changes. before holds the request's fields as the
// middleware was given them.
func (f hertzFilter) apply(x *exchange.Exchange, rc *app.RequestContext, before map[string][]string) exchange.Verdict {
	body := rc.Response.Body()
	if rc.IsAborted() || len(body) > 0 || rc.Response.StatusCode() != 200 {
		var fields []byte
		valid := true
		rc.Response.Header.VisitAll(func(k, v []byte) {
			if message.LookupField(k) != message.FieldDate {
				var ok bool
				if fields, ok = message.AppendLine(fields, k, v); !ok {
					x.AddResponseField(string(k), string(v)) // fails the request with 500
					valid = false
				}
			}
		})
		if !valid {
			return exchange.Respond
		}
		return x.Respond(rc.Response.StatusCode(), fields, body)
	}
	after := fieldsOf(&rc.Request.Header)
	for name := range before {
		if !slices.Equal(before[name], after[name]) {
			x.DropRequestField(name)
		}
	}
	for name, values := range after {
		if slices.Equal(before[name], values) {
			continue
		}
		for _, value := range values {
			x.AddRequestField(name, value)
		}
	}
	rc.Response.Header.VisitAll(func(k, v []byte) {
		switch message.LookupField(k) {
		case message.FieldDate, message.FieldContentType, message.FieldServer:
		default:
			x.AddResponseField(string(k), string(v))
		}
	})
	return exchange.Continue
}

// run calls the middleware as the only handler of rc.
func (f hertzFilter) run(ctx context.Context, rc *app.RequestContext) {
	rc.SetHandlers(app.HandlersChain{f.handler})
	rc.SetIndex(-1)
	rc.Next(ctx)
}

// fieldsOf returns the fields that a middleware may change, with all of their values.
func fieldsOf(h *protocol.RequestHeader) map[string][]string {
	fields := map[string][]string{}
	h.VisitAll(func(k, v []byte) {
		switch message.LookupField(k) {
		case message.FieldHost, message.FieldContentLength, message.FieldUserAgent:
		default:
			fields[string(k)] = append(fields[string(k)], string(v))
		}
	})
	return fields
}
