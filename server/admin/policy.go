package admin

import (
	"context"
	"net/url"

	"github.com/cloudwego/hertz/pkg/app"
)

// contentPolicy lets the dashboard run its own script and style and read its own API. Everything
// else served here is text or JSON and needs none of it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// standingFields sets the headers that every answer has.
func standingFields(ctx context.Context, c *app.RequestContext) {
	h := &c.Response.Header
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	c.Next(ctx)
}

// sameSite refuses requests that a foreign web page could have sent.
func sameSite(ctx context.Context, c *app.RequestContext) {
	host := string(c.Host())
	if !localName(host) {
		refuse(c, 403, "ask by IP address or as localhost: a request by another name may come from a web page that points its name here")
		return
	}
	if origin := c.GetHeader("Origin"); len(origin) > 0 {
		u, err := url.Parse(string(origin))
		if err != nil || u.Host != host {
			refuse(c, 403, "pages of another origin are not answered")
			return
		}
	}
	if site := string(c.GetHeader("Sec-Fetch-Site")); site == "cross-site" || site == "same-site" {
		refuse(c, 403, "pages of another site are not answered")
		return
	}
	c.Next(ctx)
}

// refuse answers with a line of text and runs no further handler. The fields already set stay: Hertz's
// AbortWithMsg would remove them.
func refuse(c *app.RequestContext, status int, reason string) {
	c.SetStatusCode(status)
	c.SetContentType("text/plain; charset=utf-8")
	c.SetBodyString(reason + "\n")
	c.Abort()
}
