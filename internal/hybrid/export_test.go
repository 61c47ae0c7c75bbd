package hybrid

// Whole is all that Python knows of a file: for the tests that ask Python.
type Whole struct {
	Values map[string]map[string]*string // nil for one that cannot be read
	Truths map[string]map[string]*bool
}

// ReadWhole reads a file with no defaults but its own.
func ReadWhole(data []byte, defaults map[string]string) (*Whole, error) {
	f, err := parse(data, defaults)
	if err != nil {
		return nil, err
	}
	w := &Whole{Values: map[string]map[string]*string{}, Truths: map[string]map[string]*bool{}}
	for section, options := range f.sections {
		w.Values[section], w.Truths[section] = map[string]*string{}, map[string]*bool{}
		names := map[string]bool{}
		for name := range options {
			names[name] = true
		}
		for name := range f.defaults {
			names[name] = true
		}
		for name := range names {
			w.Values[section][name], w.Truths[section][name] = nil, nil
			if v, err := f.get(section, name); err == nil {
				w.Values[section][name] = &v
			}
			if v, err := f.boolean(section, name); err == nil {
				w.Truths[section][name] = &v
			}
		}
	}
	return w, nil
}
