package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// newNetHTTPSync is the floor with downloads that are on the disk, and under their name, only when they are whole.
func newNetHTTPSync(c Config) (Peer, error) {
	return &netHTTP{base: c.BaseURL, client: &http.Client{Transport: c.Transport}, retries: c.Retries, sync: true}, nil
}

func (p *netHTTP) ListJSON(ctx context.Context) ([]Item, error) {
	resp, err := p.get(ctx, itemsPath, mediaJSON)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var items []Item
	err = json.NewDecoder(resp.Body).Decode(&items)
	return items, err
}

// Upload sends the file between what stands before and behind it in the form, so that the length is known, nothing is
// held in memory, and all of it can be sent again.
func (p *netHTTP) Upload(ctx context.Context, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	for _, field := range FormFields() {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	if _, err := form.CreateFormFile(FileField, filepath.Base(file)); err != nil {
		return err
	}
	tail := "\r\n--" + form.Boundary() + "--\r\n"
	open := func() (io.ReadCloser, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		all := io.MultiReader(bytes.NewReader(head.Bytes()), f, strings.NewReader(tail))
		return struct {
			io.Reader
			io.Closer
		}{all, f}, nil
	}
	body, err := open()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+reportsPath, body)
	if err != nil {
		return err
	}
	req.ContentLength, req.GetBody = int64(head.Len())+info.Size()+int64(len(tail)), open
	setHeaders(req.Header)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+Token)
	resp, err := p.send(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	return checkStatus(resp.StatusCode)
}

func (p *netHTTP) Download(ctx context.Context, file string) error {
	resp, err := p.get(ctx, exportPath, "*/*")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !p.sync {
		return save(file, resp.Body, false)
	}
	if err := save(file+".part", resp.Body, true); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

func (p *netHTTP) get(ctx context.Context, path, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	setHeaders(req.Header)
	req.Header.Set("Accept", accept)
	req.Header.Set("Authorization", "Bearer "+Token)
	resp, err := p.send(req)
	if err != nil {
		return nil, err
	}
	if err := checkStatus(resp.StatusCode); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func save(file string, body io.Reader, sync bool) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	if err == nil && sync {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
