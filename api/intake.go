package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// look finds out by its first bytes what a file is and, for a picture, holds
// its headers against the limits. whole is the file for a picture and at least
// its beginning for anything else. A type that can be told but not opened is
// taken: a worker holds it for a person.
func (a *API) look(whole []byte) (media.Type, error) {
	kind, err := media.Sniff(whole)
	if err != nil {
		return "", err
	}
	if kind.Kind() != media.Photo {
		return kind, nil
	}
	head, err := media.Inspect(whole)
	if errors.Is(err, media.ErrUnsupported) {
		return kind, nil
	}
	if err != nil {
		return "", err
	}
	return kind, a.Limits.Media.Check(head)
}

// fits reports whether a file of this type can be an item of that kind.
func fits(t media.Type, k pipeline.Kind) bool { return string(t.Kind()) == string(k) }

// keep stores a file that is in memory as a fresh upload of the tenant.
func (a *API) keep(ctx context.Context, tenant, name string, k pipeline.Kind, file []byte) (store.Upload, error) {
	kind, err := a.look(file)
	if err != nil {
		return store.Upload{}, fromMedia(name, err)
	}
	if !fits(kind, k) {
		return store.Upload{}, invalidField(name, "its content is no "+string(k))
	}
	if int64(len(file)) > a.Limits.Media.BytesFor(kind.Kind()) {
		return store.Upload{}, tooLarge(a.Limits.Media.BytesFor(kind.Kind()))
	}
	sum := sha256.Sum256(file)
	u, err := a.Store.CreateUpload(ctx, store.Upload{
		Tenant: tenant, ContentType: string(kind), Bytes: int64(len(file)), SHA256: hex.EncodeToString(sum[:]),
	}, a.Limits.UploadFor)
	if err != nil {
		return store.Upload{}, fromStore(err)
	}
	return u, a.seal(ctx, u, name, bytes.NewReader(file))
}

// seal writes an upload's content under the key that its item will have, and
// marks it as durable.
func (a *API) seal(ctx context.Context, u store.Upload, name string, r io.Reader) error {
	objects, err := a.vault.Objects(a.Media, u.Key)
	if err != nil {
		return internal(fmt.Errorf("open key of upload %s: %w", u.ID, err))
	}
	err = objects.Put(ctx, u.MediaKey, r, u.Bytes, u.SHA256)
	if err != nil && !errors.Is(err, media.ErrExists) { // an earlier try that was cut short after it
		return fromMedia(name, err)
	}
	if err := a.Store.UploadStored(ctx, u.Tenant, u.ID); err != nil {
		return fromStore(err)
	}
	return nil
}

// receive streams a file that a client sends to an upload. Pictures are read
// whole first, as their headers may stand anywhere; films and sound never are.
func (a *API) receive(ctx context.Context, u store.Upload, r io.Reader) error {
	stated := media.Type(u.ContentType)
	var head []byte
	if stated.Kind() == media.Photo {
		whole, err := readAll(io.LimitReader(r, u.Bytes+1), u.Bytes)
		if err != nil {
			return unread(err)
		}
		head, r = whole, bytes.NewReader(whole)
	} else {
		buffered := bufio.NewReaderSize(r, media.SniffLen)
		start, err := buffered.Peek(media.SniffLen)
		if err != nil && err != io.EOF {
			return unread(err)
		}
		head, r = start, buffered
	}
	if err := a.asStated(head, stated); err != nil {
		return err
	}
	return a.seal(ctx, u, "body", r)
}

// asStated refuses content that is not what the upload was made for.
func (a *API) asStated(head []byte, stated media.Type) error {
	kind, err := a.look(head)
	if err != nil {
		return fromMedia("body", err)
	}
	if kind != stated {
		return invalidField("body", "its content is not of the stated content_type")
	}
	return nil
}

// staging is where a client puts an object by itself, in the clear, until it
// is sealed. Nothing there outlives its upload.
func staging(u store.Upload) string { return "incoming/" + u.ID }

// SweepIncoming deletes what clients put into the bucket for uploads that have
// expired since, and returns how many objects. Call it now and then.
func (a *API) SweepIncoming(ctx context.Context) (int, error) {
	n := 0
	for o, err := range a.Media.List(ctx, "incoming/") {
		if err != nil {
			return n, fmt.Errorf("list incoming objects: %w", err)
		}
		if a.Now().Sub(o.Modified) < a.Limits.UploadFor+a.Limits.PresignFor {
			continue
		}
		if err := a.Media.Delete(ctx, o.Key); err != nil {
			return n, fmt.Errorf("delete incoming object: %w", err)
		}
		n++
	}
	return n, nil
}

// settle makes sure that an upload's content is durable and sealed, and can be
// an item of this kind.
func (a *API) settle(ctx context.Context, tenant, id string, k pipeline.Kind) (store.Upload, error) {
	u, err := a.Store.Upload(ctx, tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return u, invalidField("upload_id", "unknown, not uploaded yet, expired or used by another item")
	}
	if err != nil {
		return u, fromStore(err)
	}
	if !fits(media.Type(u.ContentType), k) {
		return u, invalidField("upload_id", "its content is no "+string(k))
	}
	if u.Stored || u.ItemID != "" {
		return u, nil
	}
	err = a.adopt(ctx, u)
	if err == nil {
		return u, nil
	}
	// The same request, sent twice, may have done it meanwhile: then nothing is wrong.
	if now, lost := a.Store.Upload(ctx, tenant, id); lost == nil && (now.Stored || now.ItemID != "") {
		return now, nil
	}
	return u, err
}

// adopt checks what a client put into the bucket by itself and seals it.
func (a *API) adopt(ctx context.Context, u store.Upload) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	free, err := a.flight.take(u.Bytes)
	if err != nil {
		return err
	}
	defer free()
	file, err := media.ReadAll(ctx, a.Media, staging(u), u.Bytes)
	if errors.Is(err, media.ErrNotFound) {
		return invalidField("upload_id", "unknown, not uploaded yet, expired or used by another item")
	}
	if err != nil {
		return fromMedia("upload_id", err)
	}
	sum := sha256.Sum256(file)
	if int64(len(file)) != u.Bytes || hex.EncodeToString(sum[:]) != u.SHA256 {
		return invalidField("upload_id", "its content does not have the stated size and SHA-256")
	}
	kind, err := a.look(file)
	if err != nil {
		return fromMedia("upload_id", err)
	}
	if string(kind) != u.ContentType {
		return invalidField("upload_id", "its content is not of the stated content_type")
	}
	if err := a.seal(ctx, u, "upload_id", bytes.NewReader(file)); err != nil {
		return err
	}
	// the sweep of incoming/ takes it if this does not
	_ = a.Media.Delete(context.WithoutCancel(ctx), staging(u))
	return nil
}
