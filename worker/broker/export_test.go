package broker

// Limits.
const (
	MaxHead    = maxHead
	MaxClients = maxClients
	MaxRecords = maxRecords
	Burst      = burst
	Pace       = pace
	Reserve    = reserve
)

// Read parses a request, and gives back what was understood.
func Read(head []byte) (method, path, query string, header map[string]string, err error) {
	r, err := parseHead(head)
	if err != nil {
		return "", "", "", nil, err
	}
	return r.method, r.path, r.query, r.header, nil
}

// Respond is the response to a request that was read.
func (e *Endpoint) Respond(head []byte) []byte { return e.respond(head, nil) }
