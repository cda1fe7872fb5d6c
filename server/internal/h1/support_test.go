package h1_test

import (
	"slices"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// sameHead compares what heads promise after Done.
func sameHead(a, b *message.Head) bool {
	return slices.Equal(a.Fields, b.Fields) && a.ContentLength == b.ContentLength && a.HeadLen == b.HeadLen &&
		a.Minor == b.Minor && a.Chunked == b.Chunked && a.KeepAlive == b.KeepAlive && a.Upgrade == b.Upgrade &&
		a.UpgradeH2C == b.UpgradeH2C && a.TETrailers == b.TETrailers
}

// sameRequest compares what requests promise after Done.
func sameRequest(a, b *h1.Request) bool {
	return sameHead(&a.Head, &b.Head) && a.MethodSpan == b.MethodSpan && a.Target == b.Target && a.Path == b.Path &&
		a.Query == b.Query && a.Authority == b.Authority && a.Host == b.Host && a.Port == b.Port &&
		a.Method == b.Method && a.Form == b.Form && a.TLSScheme == b.TLSScheme && a.EmptyPath == b.EmptyPath &&
		a.HasBody == b.HasBody && a.ExpectContinue == b.ExpectContinue && a.ExpectOther == b.ExpectOther
}

// sameResponse compares what responses promise after Done.
func sameResponse(a, b *h1.Response) bool {
	return sameHead(&a.Head, &b.Head) && a.Reason == b.Reason && a.Code == b.Code
}

// hops returns the names of the fields marked Hop.
func hops(h *message.Head, b []byte) (names []string) {
	for i := range h.Fields {
		if h.Fields[i].Hop {
			names = append(names, string(h.Fields[i].Name.Of(b)))
		}
	}
	return names
}
