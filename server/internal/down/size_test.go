package down

import (
	"testing"
	"unsafe"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

func TestSizes(t *testing.T) {
	servertest.Sizes(t,
		servertest.Size{Name: "connection", Size: unsafe.Sizeof(Conn{}), Most: 336},
		servertest.Size{Name: "stream", Size: unsafe.Sizeof(Stream{}), Most: 296},
		servertest.Size{Name: "session", Size: unsafe.Sizeof(Session{}), Most: 416},
	)
}
