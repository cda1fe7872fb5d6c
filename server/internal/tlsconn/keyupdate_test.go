package tlsconn

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
)

// keyUpdater is a TLS 1.3 peer's record layer, after RFC 8446, 5.2 and 7, to send what crypto/tls
// cannot be made to. It takes over from the client of a fresh pair.
type keyUpdater struct {
	t             testing.TB
	send, receive trafficKey
}

type trafficKey struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// newKeyUpdater shakes hands anew, on an AES-128 suite, to learn the secrets from the key log, and puts the new
// ends in place of the old.
func newKeyUpdater(t testing.TB, server, client *end) *keyUpdater {
	var log bytes.Buffer
	config := clientConfig().Clone()
	config.KeyLogWriter = &log
	s, c := pair(t, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), config, 0)
	server.Conn, client.Conn = s.Conn, c.Conn
	k := &keyUpdater{t: t}
	if id := server.State().CipherSuite; id != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("this machine prefers %s", tls.CipherSuiteName(id))
	}
	for line := range strings.Lines(log.String()) {
		f := strings.Fields(line)
		secret, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		switch f[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			k.send.set(t, secret)
		case "SERVER_TRAFFIC_SECRET_0":
			k.receive.set(t, secret)
		}
	}
	// The ticket was the server's first record under these keys.
	k.receive.seq = 1
	return k
}

func expandLabel(t testing.TB, secret []byte, label string, n int) []byte {
	info := append([]byte{0, byte(n), byte(6 + len(label))}, "tls13 "+label...)
	out, err := hkdf.Expand(func() hash.Hash { return sha256.New() }, secret, string(append(info, 0)), n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (k *trafficKey) set(t testing.TB, secret []byte) {
	block, err := aes.NewCipher(expandLabel(t, secret, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	k.secret, k.iv, k.seq = secret, expandLabel(t, secret, "iv", 12), 0
	if k.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
}

func (k *trafficKey) nonce() []byte {
	n := bytes.Clone(k.iv)
	for i := range 8 {
		n[11-i] ^= byte(k.seq >> (8 * i))
	}
	k.seq++
	return n
}

func (k *trafficKey) update(t testing.TB) { k.set(t, expandLabel(t, k.secret, "traffic upd", 32)) }

func (k *keyUpdater) seal(typ byte, data []byte) []byte {
	n := len(data) + 17
	header := []byte{23, 3, 3, byte(n >> 8), byte(n)}
	return append(header, k.send.aead.Seal(nil, k.send.nonce(), append(bytes.Clone(data), typ), header)...)
}

// keyUpdate announces that the next record is under the next key.
func (k *keyUpdater) keyUpdate(request bool) []byte {
	message := []byte{24, 0, 0, 1, 0}
	if request {
		message[4] = 1
	}
	raw := k.seal(22, message)
	k.send.update(k.t)
	return raw
}

func (k *keyUpdater) updateReceive() { k.receive.update(k.t) }

// open takes the first record off raw.
func (k *keyUpdater) open(raw *[]byte) (typ byte, data []byte) {
	k.t.Helper()
	size := recordSize(*raw)
	record := (*raw)[:size]
	*raw = (*raw)[size:]
	plain, err := k.receive.aead.Open(nil, k.receive.nonce(), record[recordHeader:], record[:recordHeader])
	if err != nil {
		k.t.Fatal(err)
	}
	return plain[len(plain)-1], plain[:len(plain)-1]
}
