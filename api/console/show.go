package console

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"

	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// The renditions that workers make when a person must look: while judging, or
// when a report or an appeal opens a case about what was let through.
const (
	kindPreview   = "preview"   // grey and blurred beyond recognition
	kindThumbnail = "thumbnail" // plain, at most 1,280 pixels; of what moves a sheet of frames, at most 1,920
	kindTimes     = "times"     // the models' scores over time
	kindSheet     = "sheet"     // which frames are on a sheet
)

// maxRendition is the largest rendition that is sent, bytes.
const maxRendition = 8 << 20

// show sends the plain picture. The audit line is written first; when that
// fails, nothing is sent.
func (c *Console) show(v *visit) error {
	about, err := c.Store.Case(v.ctx(), v.reviewer(), v.id())
	if err != nil {
		return err
	}
	if err := c.Store.View(v.ctx(), v.reviewer(), about.ID, v.value("token"), kindThumbnail); err != nil {
		return fmt.Errorf("view case %s: %w", about.ID, err)
	}
	kept, err := c.Store.Evidence(v.ctx(), about.Tenant, about.ItemID)
	if err != nil {
		return err
	}
	picture, err := c.rendition(v.ctx(), about.Tenant, about.ItemID, kept, kindThumbnail)
	if err != nil {
		return err
	}
	kind := jpegOrPNG(picture)
	if kind == "" {
		return store.ErrNotFound
	}
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", "inline")
	if _, err := v.w.Write(picture); err != nil {
		c.Log.Debug("picture was not taken", "case", about.ID)
	}
	return nil
}

// rendition opens the first one of a kind, from the database or the media
// store.
func (c *Console) rendition(ctx context.Context, tenant, item string, kept []store.Evidence, kind string) ([]byte, error) {
	for _, e := range kept {
		switch {
		case e.Kind != kind:
		case len(e.Body) > 0:
			return e.Body, nil
		case e.MediaKey != "" && c.Media != nil && c.Vault != nil:
			return c.fromMedia(ctx, tenant, item, e.MediaKey, maxRendition)
		}
	}
	return nil, fmt.Errorf("%s of item %s: %w", kind, item, store.ErrNotFound)
}

func (c *Console) fromMedia(ctx context.Context, tenant, item, key string, limit int64) ([]byte, error) {
	wrapped, err := c.Store.ItemKey(ctx, tenant, item)
	if err != nil {
		return nil, err
	}
	objects, err := c.Vault.Objects(c.Media, wrapped)
	if err != nil {
		return nil, fmt.Errorf("key of item %s: %w", item, err)
	}
	return media.ReadAll(ctx, objects, key, limit)
}

// inline makes a preview part of the page, so that the page's audit line
// covers it and no address of it exists.
func inline(picture []byte) template.URL {
	kind := jpegOrPNG(picture)
	if kind == "" {
		return ""
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(picture))
}

// jpegOrPNG is the type of a rendition by its first bytes; empty for anything
// else, which is never sent.
func jpegOrPNG(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	}
	return ""
}
