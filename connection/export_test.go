package connection

// DerivedLanes returns how many transports the token flows of a connection have of their own.
func DerivedLanes(c *Connection) int {
	g := c.pool.current.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.derived)
}
