package main

import (
	"flag"
	"fmt"
	"os"
)

// options are the command line of cluster, as parseOptions fills it; the zero value lacks an address to listen on.
type options struct {
	dir        string   // state directory; empty means a temporary one, removed at exit
	listen     string   // host:port of the API server; port 0 picks a free one
	kubeconfig string   // where to write the credentials; empty means "kubeconfig" in dir
	apiserver  []string // further kube-apiserver flags, after ours and so stronger than ours
}

// parseOptions reads the arguments without the program's name. It prints errors and usage to standard error itself.
func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", "", "Keep all state in this `directory`, and reuse what an earlier run left there. Without it the state is temporary.")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "Serve the Kubernetes API on this `address`; port 0 picks a free port.")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "Write the administrator's kubeconfig to this `file` instead of the state directory.")
	flags.Usage = func() {
		fmt.Fprint(os.Stderr, `usage: cluster [flags] [-- kube-apiserver flags]

Runs etcd and kube-apiserver until SIGINT or SIGTERM.
Prints "ready URL KUBECONFIG" on standard output once the API can be used.

`)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o.apiserver = flags.Args()
	return o, nil
}
