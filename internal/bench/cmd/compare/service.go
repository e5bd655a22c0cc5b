package main

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/restconn/restconn/internal/bench"
)

const (
	listSize     = 5_000_000
	uploadSize   = 100 << 20
	downloadSize = 1 << 30
	mostInflated = 1 << 10 // MiB

	// flaky stands before the path of uploads of which each first one is answered with 503.
	flaky = "/flaky"
	// bomb stands before the path of an item that is a bomb, and before it the size of that in MiB.
	bomb = "/bomb/"
)

// service answers the requests of the peers, and nobody else's.
type service struct {
	declared atomic.Int64 // Content-Length of the last upload
	uploads  atomic.Int64 // to the flaky path
}

func (s *service) handler() http.Handler {
	list := bench.ListJSON(listSize)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/items/{id}", answerItem)
	mux.HandleFunc("GET "+flaky+"/v1/items/{id}", answerItem)
	mux.HandleFunc("POST /v1/items", answerItem)
	mux.HandleFunc("GET /v1/items", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(list)))
		writeJSON(w, list)
	})
	mux.HandleFunc("POST /v1/reports", s.takeReport)
	mux.HandleFunc("POST "+flaky+"/v1/reports", s.takeReport)
	mux.HandleFunc("GET /v1/export", answerExport)
	mux.HandleFunc("GET "+bomb+"{mebibytes}/v1/items/{id}", answerBomb)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bench.Token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answerItem(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, bench.SampleJSON())
}

// takeReport reads an upload in large pieces, so that the server is not what is measured.
func (s *service) takeReport(w http.ResponseWriter, r *http.Request) {
	s.declared.Store(r.ContentLength)
	buf := make([]byte, 256<<10)
	for {
		_, err := r.Body.Read(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if r.URL.Path != "/v1/reports" && s.uploads.Add(1)%2 == 1 {
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, bench.SampleJSON())
}

func answerExport(w http.ResponseWriter, _ *http.Request) {
	block := make([]byte, 1<<20)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(downloadSize))
	for sent := 0; sent < downloadSize; sent += len(block) {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func answerBomb(w http.ResponseWriter, r *http.Request) {
	mebibytes, err := strconv.Atoi(r.PathValue("mebibytes"))
	if err != nil || mebibytes < 0 || mebibytes > mostInflated {
		http.NotFound(w, r)
		return
	}
	content, err := bench.Bomb(mebibytes)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	writeJSON(w, content)
}

func writeJSON(w http.ResponseWriter, content []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(content)
}
