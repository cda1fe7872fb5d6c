package exchange

import (
	"testing"
	"unsafe"

	"github.com/sluice-gateway/sluice/server/internal/servertest"
)

func TestCoreSizes(t *testing.T) {
	servertest.Sizes(t,
		servertest.Size{Name: "Exchange", Size: unsafe.Sizeof(Core{}), Most: 896},
	)
}
