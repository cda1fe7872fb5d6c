package sluice

import (
	"flag"
	"io"

	"github.com/sluice-gateway/sluice/informer"
	"github.com/sluice-gateway/sluice/server/config"
)

// checkCommand reports what would not be served.
func checkCommand(o Options) command {
	return command{
		name:     "check",
		synopsis: "[--manifests DIR | --kubeconfig FILE] [-c|--config FILE] [--class NAME] [-o text|json]",
		about: "Report what would not be served as written, without serving.\n" +
			"Each Rejection names the object, the field and the reason; a summary counts them by field, which is what a\n" +
			"migration has to deal with. It also lists the objects of manifests that are of no kind that is read, with where\n" +
			"they stand, and counts the Ingresses that belong to other classes. Nothing is bound and nothing is written. Exit\n" +
			"code 1 means that something is refused.",
		register: func(set *flag.FlagSet, out, _ io.Writer) func([]string) error {
			from := source{added: o}
			from.flags(set)
			var configured settings
			configured.flags(set)
			class := set.String("class", "", "Report on the Ingresses of class `NAME`, such as nginx, as if they were taken over from ingress-nginx.")
			format := set.String("o", "text", "Write the report as `FORMAT`: text or json.")
			return func(args []string) error {
				if len(args) > 0 {
					return usagef("check takes no arguments")
				}
				if *format != "text" && *format != "json" {
					return usagef("-o %s: write text or json", *format)
				}
				if err := from.validate(); err != nil {
					return err
				}
				c, err := configured.load()
				if err != nil {
					return err
				}
				found, err := from.inspect(from.checkConfig(c, *class))
				if err != nil {
					return err
				}
				return newReport(found).write(out, *format)
			}
		},
	}
}

// checkConfig is the configuration, and for a class to be taken over also that of its controller:
// an IngressClass object decides where there is one.
func (s *source) checkConfig(configured *config.Config, class string) informer.Config {
	c := s.config(configured)
	if class != "" && class != c.IngressClass {
		c.IngressClass = class
		c.Controllers = []string{informer.NginxController, informer.DefaultController}
	}
	return c
}
