package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// parentNamespace holds the network namespace that the suite was started in, so that the second run
// of the binary knows that it is the second, and that it did get another one.
const parentNamespace = "E2E_PARENT_NAMESPACE"

const ownNamespace = "/proc/self/ns/net"

// podNetwork is local to the namespace, every address of it. podAddress6 are the IPv6 ones: with
// IPv6, a socket can only be bound to addresses that are assigned one by one.
const podNetwork = "10.244.0.0/16"

// podNetwork6 has podAddress6, which are addresses of the node here, so that the gateway must be told to
// take them for Pods'.
const podNetwork6 = "fd00:10:244::/64"

var podAddress6 = []string{"fd00:10:244::1", "fd00:10:244::2"}

// enterNamespace returns in a network and mount namespace of the process's own, in which lo is up and
// has the Pods' addresses. It replaces the process by itself under unshare on the way, so that
// output, signals and exit status stay those of the process that `go test` started.
func enterNamespace() error {
	here, err := os.Readlink(ownNamespace)
	if err != nil {
		return err
	}
	switch os.Getenv(parentNamespace) {
	case "":
		unshare, err := exec.LookPath("unshare")
		if err != nil {
			return err
		}
		args := []string{"unshare", "--net", "--mount"}
		if os.Getuid() != 0 {
			args = append(args, "--map-root-user")
		}
		args = append(append(args, "--", os.Args[0]), os.Args[1:]...)
		return syscall.Exec(unshare, args, append(os.Environ(), parentNamespace+"="+here))
	case here:
		return errors.New("unshare left the process where it was")
	}
	commands := []string{
		"link set lo up",
		"route add local " + podNetwork + " dev lo",
	}
	for _, address := range podAddress6 {
		commands = append(commands, "-6 address add "+address+"/128 dev lo nodad")
	}
	for _, command := range commands {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", command, err, out)
		}
	}
	return nil
}
