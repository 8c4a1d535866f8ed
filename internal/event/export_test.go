package event

// Rendered returns how many lines have been rendered.
func (o *Origin) Rendered() uint64 { return o.lines.rendered.Load() }
