package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	// Interrupted runs end their processes and remove their files like finished ones.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole program.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "load":
			return loadMain(args[1:], out)
		case "origin":
			return originMain(args[1:])
		case "stream":
			return streamMain(args[1:], out)
		case "handshake":
			return handshakeMain(args[1:], out)
		case "report":
			return reportMain(args[1:])
		case "micro":
			return microMain(ctx, args[1:], out)
		}
	}
	return measureMain(ctx, args, out)
}

// measureMain is the command without a subcommand: measure and report.
func measureMain(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	binaries := fs.String("binaries", os.Getenv("BENCH_BINARIES"), "Comma-separated NAME=PATH of peers that are not where they are looked for; default is $BENCH_BINARIES.")
	caseList := fs.String("cases", "all", "Comma-separated cases: "+strings.Join(caseIDs(), ", ")+".")
	check := fs.Bool("check", false, "Exit 1 when a performance bar is missed or could not be measured.")
	conns := fs.Int("conns", 0, "Connections instead of each case's own number; bars then mean nothing.")
	duration := fs.Duration("duration", 6*time.Second, "Length of one measurement; wrk rounds it up to seconds.")
	loadCPU := fs.String("load-cpu", "1", "Core list of the load generator and the origin.")
	micro := fs.Bool("micro", false, "Run the micro benchmarks too and add them to the report.")
	name := fs.String("name", "", "Name of the directory of results; default is date and commit.")
	outDir := fs.String("out", "bench/results", "Directory under which results are kept.")
	peerDir := fs.String("peer-dir", "bench/peers/.cache", "Directory of the peers that make bench-peers has installed.")
	peerList := fs.String("peers", "all", "Comma-separated peers; all is every one that is installed.")
	proxyCPU := fs.String("proxy-cpu", "0", "Core of the proxy.")
	quick := fs.Bool("quick", false, "One-second measurements in two rounds, to see that everything works.")
	rounds := fs.Int("rounds", 3, "Rounds; each measures every peer once.")
	sluice := fs.String("sluice", "bin/sluice", "Sluice's binary.")
	warmup := fs.Duration("warmup", 2*time.Second, "Load before each measurement.")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("parse arguments: %q is no subcommand; there are report, micro, load, stream, handshake and origin", fs.Arg(0))
	}
	if *quick {
		*rounds, *warmup, *duration = 2, time.Second, time.Second
	}
	if runtime.NumCPU() < 2 {
		return errors.New("check machine: one core is not enough, the proxy needs one of its own")
	}
	chosen, err := selectCases(*caseList)
	if err != nil {
		return err
	}
	for _, name := range needs(chosen) {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("check tools: %s is not installed (apt-get install wrk nghttp2-client nginx haproxy)", name)
		}
	}
	at := places{Sluice: *sluice, Dir: *peerDir}
	if at.Named, err = parseBinaries(*binaries); err != nil {
		return err
	}
	contenders, missing, err := selectPeers(ctx, *peerList, at)
	if err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Fprintln(out, "left out:", m)
	}
	if len(contenders) == 0 {
		return errors.New("select peers: none is installed")
	}

	result := &Result{
		Started: time.Now().UTC().Truncate(time.Second), Commit: commit(), Machine: thisMachine(),
		Versions: map[string]string{}, Missing: missing,
		Options: Options{Rounds: *rounds, Warmup: *warmup, Duration: *duration, Conns: *conns, ProxyCPU: *proxyCPU, LoadCPU: *loadCPU},
	}
	for _, c := range chosen {
		result.Options.Cases = append(result.Options.Cases, c.ID)
	}
	for _, p := range contenders {
		result.Options.Peers = append(result.Options.Peers, p.Name)
		result.Versions[p.Name] = p.version
	}
	for _, name := range needs(chosen) {
		result.Versions[name] = toolVersion(name)
	}

	r, err := newRunner(result.Options, chosen, contenders, result, out)
	if err != nil {
		return err
	}
	err = r.run(ctx)
	r.close()
	if err != nil {
		return err
	}
	if *micro {
		if result.Micro, err = runMicro(ctx, microPackages); err != nil {
			return err
		}
	}

	if *name == "" {
		*name = result.Started.Format("2006-01-02-1504") + "-" + result.Commit
	}
	for _, dir := range []string{filepath.Join(*outDir, *name), filepath.Join(*outDir, "latest")} {
		if err := result.save(dir); err != nil {
			return err
		}
	}
	table, err := result.markdown()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\nwritten to %s\n", table, filepath.Join(*outDir, *name))
	if *check {
		return result.check()
	}
	return nil
}

// toolVersion is the first word or two of a load generator's version output; asking makes wrk exit with 1.
func toolVersion(name string) string {
	out, _ := exec.Command(name, "--version").CombinedOutput()
	version, _, _ := strings.Cut(string(out), "Copyright")
	return strings.TrimSpace(version)
}
