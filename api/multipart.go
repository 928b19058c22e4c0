package api

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"

	"nightlight/pipeline/media"
)

func isMultipart(h http.Header) bool {
	return len(h.Get("Content-Type")) < 256 && strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "multipart/")
}

// parts are the two that a multipart item has. File names and stated content
// types of parts are ignored: the content says what it is.
type parts struct {
	item, file         []byte
	hasItem, hasFile   bool
	itemSize, fileSize int64 // limits
}

// postMultipart takes an item with its file in one request. Both are kept in
// memory, within the bytes in flight: a child's picture never touches a
// temporary file.
func (a *API) postMultipart(c *call) error {
	idempotency, err := idempotencyKey(c.r.Header)
	if err != nil {
		return err
	}
	kind, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	boundary := params["boundary"]
	if err != nil || kind != "multipart/form-data" || len(boundary) == 0 || len(boundary) > 70 || c.r.Header.Get("Content-Encoding") != "" {
		return unsupported("application/json or multipart/form-data")
	}
	p := parts{itemSize: a.Limits.JSONBytes, fileSize: a.largestFile()}
	free, err := a.reserve(c, p.fileSize+a.Limits.JSONBytes)
	if err != nil {
		return err
	}
	free = sync.OnceFunc(free)
	defer free()
	if err := p.read(multipart.NewReader(c.r.Body, boundary), c.r.ContentLength); err != nil {
		return err
	}
	b, errs := readItem(p.item, a.Now(), true)
	if len(errs) > 0 {
		return invalid(errs...)
	}
	u, err := a.keep(c.r.Context(), c.tenant(), "file", b.Kind, p.file)
	if err != nil {
		return err
	}
	b.UploadID = u.ID
	return a.take(c, b, idempotency, free)
}

func (a *API) largestFile() int64 {
	l := a.Limits.Media
	return max(l.BytesFor(media.Photo), l.BytesFor(media.Film), l.BytesFor(media.Voice))
}

// read takes each part once, in any order, and refuses others.
func (p *parts) read(r *multipart.Reader, length int64) error {
	for range 3 {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return p.complete()
		}
		if err != nil {
			return unreadPart(err)
		}
		switch name := part.FormName(); {
		case name == "item" && !p.hasItem:
			p.hasItem = true
			p.item, err = readPart(part, p.itemSize, 0)
		case name == "file" && !p.hasFile:
			p.hasFile = true
			p.file, err = readPart(part, p.fileSize, length)
		case name == "item" || name == "file":
			return invalidField(name, "is there twice")
		default:
			return invalidField("body", "want the parts item and file and no other")
		}
		if err != nil {
			return err
		}
	}
	return invalidField("body", "want the parts item and file and no other")
}

func (p *parts) complete() error {
	var errs []FieldError
	if !p.hasItem {
		errs = append(errs, FieldError{"item", "is missing"})
	}
	if !p.hasFile || len(p.file) == 0 {
		errs = append(errs, FieldError{"file", "is missing"})
	}
	if len(errs) > 0 {
		return invalid(errs...)
	}
	return nil
}

// readPart reads a part of at most most bytes; length is that of the whole
// request when it is known, so that a large file is not copied while it grows.
func readPart(part *multipart.Part, most, length int64) ([]byte, error) {
	if e := part.Header.Get("Content-Transfer-Encoding"); e != "" && !contains([]string{"7bit", "8bit", "binary"}, strings.ToLower(e)) {
		return nil, unsupported("parts as they are")
	}
	b, err := readAll(io.LimitReader(part, most+1), min(length, most))
	if err != nil {
		return nil, unreadPart(err)
	}
	if int64(len(b)) > most {
		return nil, tooLarge(most)
	}
	return b, nil
}

// unreadPart is the answer to a multipart body that does not hold together.
func unreadPart(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return tooLarge(big.Limit)
	}
	return invalidField("body", "malformed multipart/form-data")
}
