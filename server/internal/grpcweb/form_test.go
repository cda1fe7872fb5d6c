package grpcweb_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/grpcweb"
)

func TestForms(t *testing.T) {
	for _, tt := range []struct {
		in             string
		form           grpcweb.Form
		native, answer string // for the Backend, and back for the client
	}{
		{"application/grpc-web", grpcweb.Binary, "application/grpc", "application/grpc-web"},
		{"application/grpc-web+proto", grpcweb.Binary, "application/grpc+proto", "application/grpc-web+proto"},
		{"application/grpc-web+json;a=b", grpcweb.Binary, "application/grpc+json;a=b", "application/grpc-web+json;a=b"},
		{"application/grpc-web ;a=b", grpcweb.Binary, "application/grpc ;a=b", "application/grpc-web ;a=b"},
		{"application/grpc-web-text", grpcweb.Text, "application/grpc", "application/grpc-web-text"},
		{"application/grpc-web-text+proto", grpcweb.Text, "application/grpc+proto", "application/grpc-web-text+proto"},
		{"application/grpc-web-text-base64", grpcweb.Text, "application/grpc", "application/grpc-web-text"},
		{in: "application/grpc"},
		{in: "application/grpc+proto"},
		{in: "application/grpc-webx"},
		{in: "application/grpc-web-texture"},
		{in: "application/grpc-we"},
		{in: "text/plain"},
		{in: ""},
	} {
		form, suffix := grpcweb.Parse([]byte(tt.in))
		if form != tt.form {
			t.Errorf("%q: form %d, want %d", tt.in, form, tt.form)
		}
		if form == grpcweb.None {
			continue
		}
		if got := grpcweb.AppendNative(nil, suffix); string(got) != tt.native {
			t.Errorf("%q goes on as %q, want %q", tt.in, got, tt.native)
		}
		if got := form.AppendType(nil, suffix); string(got) != tt.answer {
			t.Errorf("%q is answered with %q, want %q", tt.in, got, tt.answer)
		}
		if got, ok := grpcweb.Native([]byte(tt.native)); !ok || string(got) != string(suffix) {
			t.Errorf("%q has the suffix %q, %v", tt.native, got, ok)
		}
	}
	for _, other := range []string{"", "application/grp", "application/grpc-web", "application/grpcx", "text/html"} {
		if _, ok := grpcweb.Native([]byte(other)); ok {
			t.Errorf("%q passes for gRPC", other)
		}
	}
}

func TestAppendTrailers(t *testing.T) {
	for lines, want := range map[string]string{
		"":                      "\x80\x00\x00\x00\x00",
		"grpc-status: 0\r\n":    "\x80\x00\x00\x00\x10grpc-status: 0\r\n",
		"Grpc-Status: OK:X\r\n": "\x80\x00\x00\x00\x13grpc-status: OK:X\r\n",
		"grpc-status: 5\r\nGRPC-Message: Not A%20Word\r\nx-Bin: QQ\r\n": "\x80\x00\x00\x00\x37" +
			"grpc-status: 5\r\ngrpc-message: Not A%20Word\r\nx-bin: QQ\r\n",
		"no colon": "\x80\x00\x00\x00\x08no colon",
	} {
		if got := grpcweb.AppendTrailers([]byte("x"), []byte(lines)); string(got) != "x"+want {
			t.Errorf("%q became %q, want %q", lines, got, want)
		}
	}
}
