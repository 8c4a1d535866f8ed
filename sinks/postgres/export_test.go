package postgres

import "time"

// ConnectTimeout returns how long the making of a connection may take.
func ConnectTimeout(conn string) (time.Duration, error) {
	cfg, err := parse(conn)
	if err != nil {
		return 0, err
	}
	return cfg.ConnConfig.ConnectTimeout, nil
}
