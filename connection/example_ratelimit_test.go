package connection_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/restconn/restconn/connection"
)

func ExampleWithRateLimit() {
	service := transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	})
	conn, err := connection.New("https://api.example.com",
		connection.WithRateLimit(1.0/60, 2), connection.WithTransport(service))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/things", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := conn.Do(req)
		if e, ok := errors.AsType[*connection.RateLimitError](err); ok {
			fmt.Println(e.Host, "asks for", e.Wait.Round(time.Minute))
			return
		}
		fmt.Println(resp.StatusCode)
		_ = resp.Body.Close()
	}
	// Output:
	// 204
	// 204
	// api.example.com asks for 1m0s
}
