package up

import (
	"testing"
	"unsafe"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

func TestSizes(t *testing.T) {
	servertest.Sizes(t,
		servertest.Size{Name: "connection", Size: unsafe.Sizeof(Conn{}), Most: 192},
		servertest.Size{Name: "session", Size: unsafe.Sizeof(Session{}), Most: 288},
		servertest.Size{Name: "stream", Size: unsafe.Sizeof(Stream{}), Most: 208},
	)
}
