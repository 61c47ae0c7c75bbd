package contain

import "context"

// Start is Begin and Ready.
func Start(ctx context.Context, program string, spec Spec, o IO) (*Process, error) {
	p, err := Begin(ctx, program, spec, o)
	if err != nil {
		return nil, err
	}
	if err := p.Ready(ctx); err != nil {
		return nil, err
	}
	return p, nil
}
