package bench

import (
	"encoding/json"
	"time"
)

// Item is what every peer sends and receives: about 1 KB of JSON with the shapes that real services use:
// strings, numbers, a time, a nested object, lists, a map.
type Item struct {
	ID          string            `json:"id"`
	Number      int64             `json:"number"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Status      string            `json:"status"`
	Kind        string            `json:"kind"`
	Price       float64           `json:"price"`
	Currency    string            `json:"currency"`
	Quantity    int               `json:"quantity"`
	Weight      float64           `json:"weight"`
	Active      bool              `json:"active"`
	Archived    bool              `json:"archived"`
	Version     int               `json:"version"`
	ETag        string            `json:"etag"`
	URL         string            `json:"url"`
	Created     time.Time         `json:"created"`
	Available   string            `json:"available"`
	Location    string            `json:"location"`
	Vendor      string            `json:"vendor"`
	Unit        string            `json:"unit"`
	Brand       string            `json:"brand"`
	Owner       Person            `json:"owner"`
	Tags        []string          `json:"tags"`
	Lines       []Line            `json:"lines"`
	Labels      map[string]string `json:"labels"`
}

// Person is nested in an [Item].
type Person struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Email string   `json:"email"`
	Roles []string `json:"roles"`
}

// Line is an element of [Item.Lines].
type Line struct {
	SKU   string  `json:"sku"`
	Count int     `json:"count"`
	Price float64 `json:"price"`
}

// Sample returns the item that the servers answer with and that the peers send. It is always the same.
func Sample() *Item {
	return &Item{
		ID:     "42",
		Number: 9007199254740991,
		Name:   "Standing desk, oak",
		Description: "A height adjustable desk with a solid oak top, a memory for four heights, " +
			"a cable tray and two drawers. It comes in three parts, and two people need an hour to put it up. " +
			"Spare parts can be had for ten years. The oak is oiled twice before it leaves the workshop, " +
			"and wants a third coat a year later.",
		Status:    "available",
		Kind:      "furniture",
		Price:     749.5,
		Currency:  "EUR",
		Quantity:  17,
		Weight:    43.25,
		Active:    true,
		Version:   12,
		ETag:      "6d82cbb050ddc7fa9cbb659014546e59",
		URL:       "https://shop.example.com/items/42",
		Created:   time.Date(2024, 2, 29, 10, 30, 0, 0, time.UTC),
		Available: "2025-12-01",
		Location:  "hall 3, row 12, shelf B",
		Vendor:    "Northern Oak and Steel Furniture Works, Gothenburg",
		Unit:      "piece",
		Brand:     "nordholz",
		Owner: Person{
			ID:    "u-1001",
			Name:  "Grace Hopper",
			Email: "grace@example.com",
			Roles: []string{"admin", "buyer"},
		},
		Tags: []string{"office", "desk", "oak", "adjustable"},
		Lines: []Line{
			{SKU: "TOP-OAK-160", Count: 1, Price: 399.5},
			{SKU: "DRAWER-S", Count: 2, Price: 39.9},
		},
		Labels: map[string]string{
			"warehouse": "east", "season": "summer", "vat": "normal", "room": "office",
		},
	}
}

// SampleJSON returns [Sample] as JSON. Callers must not change it.
func SampleJSON() []byte { return sampleJSON }

var sampleJSON = mustMarshal(Sample())

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
