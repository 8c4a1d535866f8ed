package match

// Matches is Expr.Match for other records than frames.
func Matches[R Record](e Expr, r R) bool { return matches(e, r) }
