package configmap

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/informer/annotation"
)

// Keys of compression. They make the defaults of three annotations together: see compress.
const (
	useGzip   = "use-gzip"
	useBrotli = "enable-brotli"
)

const mediaTypes = "media types, with spaces between"

var _ = add(
	compression(useGzip, yes, "false", checkBool),
	compression("gzip-level", "1 to 9", "1", nil),
	compression("gzip-min-length", "bytes", "256", nil),
	compression("gzip-types", mediaTypes, "", nil),
	compression(useBrotli, yes, "false", checkBool),
	compression("brotli-level", "1 to 11", "4", nil),
	compression("brotli-min-length", "bytes", "20", nil),
	compression("brotli-types", mediaTypes, "", nil),
	without("gzip-disable", "", "responses are compressed for every client that says that it takes them so"),
)

func checkBool(value string) error {
	if _, err := strconv.ParseBool(value); err != nil {
		return errors.New("want true or false; false is assumed")
	}
	return nil
}

// compression makes the Row of a key of compression. check may be nil.
func compression(key, value, standard string, check func(string) error) Row {
	return Row{Key: key, Effect: EffectAnnotation, Annotation: "compress", Value: value, Default: standard,
		Doc: "Together with the other keys of compression; where both codings are on Brotli is preferred, and both have the types of both and the smaller of the lengths.",
		Set: func(_ *reading, value string) error {
			if check == nil {
				return nil // where compression is on its annotation reads it
			}
			return check(value)
		}}
}

// compress makes the defaults of the annotations compress, compress-types and compress-min-length.
func (r *reading) compress(reject func(key, value, reason string)) {
	var codings, types []string
	var switches, typeKeys []string
	least := -1
	for _, c := range []struct{ on, coding, prefix, level string }{{useBrotli, "br", "brotli", "4"}, {useGzip, "gzip", "gzip", "1"}} {
		if on, err := strconv.ParseBool(r.data[c.on]); err != nil || !on {
			continue
		}
		level := r.data[c.prefix+"-level"]
		if level == "" {
			level = c.level
		}
		if _, _, err := annotation.Check("compress", c.coding+":"+level); err != nil {
			reject(c.prefix+"-level", level, err.Error()+"; "+c.level+" is used")
			level = c.level
		}
		switches, codings = append(switches, c.on), append(codings, c.coding+":"+level)
		if list := r.data[c.prefix+"-types"]; list != "" {
			types, typeKeys = append(types, strings.Fields(list)...), append(typeKeys, c.prefix+"-types")
		}
		if text, given := r.data[c.prefix+"-min-length"]; given {
			n, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				reject(c.prefix+"-min-length", text, "want a number of bytes; the default is used")
			} else if least < 0 || int(n) < least {
				least = int(n)
			}
		}
	}
	if len(codings) == 0 {
		return
	}
	if known, _, _ := annotation.Check("compress", ""); !known {
		for _, key := range switches {
			reject(key, r.data[key], "the annotation compress is not carried out yet; it has no effect")
		}
		return
	}
	r.Objects.Values["compress"] = strings.Join(codings, ",")
	if least >= 0 {
		r.Objects.Values["compress-min-length"] = strconv.Itoa(least)
	}
	if len(types) == 0 {
		return
	}
	// nginx compresses HTML whatever else it compresses.
	types = append(types, "text/html")
	slices.Sort(types)
	list := strings.Join(slices.Compact(types), ",")
	if _, _, err := annotation.Check("compress-types", list); err != nil {
		for _, key := range typeKeys {
			reject(key, r.data[key], err.Error())
		}
		return
	}
	r.Objects.Values["compress-types"] = list
}
