package stdio

import (
	"fmt"
	"os"
)

// Color says whether pretty lines are in color. Lines of other formats never
// are.
type Color string

// The values of Color. The zero value is ColorAuto.
const (
	ColorAuto   Color = "auto"   // on terminals, unless the environment says otherwise
	ColorAlways Color = "always" // whatever the output and the environment are
	ColorNever  Color = "never"
)

// wanted reports whether there are to be colors in an output that is a
// terminal, or one that is not. These are the rules, the first that applies:
//
//   - what the program itself was told goes before what all programs are told
//     (https://no-color.org, on configuration files and command-line options);
//   - NO_COLOR, if it is not empty: none (https://no-color.org);
//   - CLICOLOR_FORCE, if it is neither empty nor 0: colors, no matter what
//     (https://bixense.com/clicolors);
//   - CLICOLOR=0: none. If it is not set, it is as if it were, which the same
//     page recommends to new programs: colors on terminals;
//   - TERM=dumb: none, the terminal has none.
func (c Color) wanted(terminal bool) (bool, error) {
	switch c {
	case ColorAlways:
		return true, nil
	case ColorNever:
		return false, nil
	case ColorAuto, "":
	default:
		return false, fmt.Errorf("unknown color %q: it is auto, always or never", string(c))
	}
	if os.Getenv("NO_COLOR") != "" {
		return false, nil
	}
	if force := os.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return true, nil
	}
	return terminal && os.Getenv("CLICOLOR") != "0" && os.Getenv("TERM") != "dumb", nil
}
