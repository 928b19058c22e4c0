package console

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// kindSound is what the audit line calls listening.
const kindSound = "sound"

// wav is the type of the sound that is sent: what a child's phone or watch
// recorded, many browsers do not play, and none shall have to open.
const wav = "audio/wav"

// listenPage plays a sound where no script does.
type listenPage struct {
	CaseID string
	Sound  template.URL
}

// sounding reports whether there may be a sound in what was sent.
func sounding(item store.Item) bool {
	return item.Kind == pipeline.KindVoice || item.Kind == pipeline.KindVideo
}

// audible reports whether the console can play an item's sound. What is
// quarantined is not opened any more.
func (c *Console) audible(item store.Item) bool {
	judged := item.State == store.InReview || item.State == store.Closed
	return sounding(item) && judged && !item.Purged && item.Media != nil &&
		c.Media != nil && c.Vault != nil && c.Video != nil && c.Video.Ready() == nil
}

// listen sends the sound of a voice note or film. The audit line is written
// first; when that fails, nothing is opened. It is made anew from the sealed
// original each time and kept nowhere, and it never begins to play by itself.
func (c *Console) listen(v *visit) error {
	about, err := c.Store.Case(v.ctx(), v.reviewer(), v.id())
	if err != nil {
		return err
	}
	item, err := c.Store.Item(v.ctx(), about.Tenant, about.ItemID)
	if err != nil {
		return err
	}
	if !c.audible(item) {
		return errSilent
	}
	sound, err := c.openSound(v, about.ID, item)
	if err != nil {
		return err
	}
	if v.r.Header.Get("Accept") != wav { // no script asks
		playing(v.w.Header(), "data:")
		return c.render(v, http.StatusOK, "listen", listenPage{about.ID, template.URL("data:" + wav + ";base64," + base64.StdEncoding.EncodeToString(sound))})
	}
	v.w.Header().Set("Content-Type", wav)
	v.w.Header().Set("Content-Disposition", "inline")
	if _, err := v.w.Write(sound); err != nil {
		c.Log.Debug("sound was not taken", "case", about.ID)
	}
	return nil
}

// openSound waits its turn, writes the audit line and makes the sound. The turn
// ends there: whoever takes the sound slowly keeps nobody else waiting.
func (c *Console) openSound(v *visit, caseID string, item store.Item) ([]byte, error) {
	select {
	case c.opening <- struct{}{}:
		defer func() { <-c.opening }()
	case <-v.ctx().Done():
		return nil, v.ctx().Err()
	}
	if err := c.Store.View(v.ctx(), v.reviewer(), caseID, v.value("token"), kindSound); err != nil {
		return nil, fmt.Errorf("view case %s: %w", caseID, err)
	}
	return c.soundOf(v.ctx(), item)
}

// soundOf opens the sealed original and decodes its sound in a child.
func (c *Console) soundOf(ctx context.Context, item store.Item) ([]byte, error) {
	data, err := c.fromMedia(ctx, item.Tenant, item.ID, item.Media.Key, item.Media.Bytes)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != item.Media.SHA256 {
		return nil, fmt.Errorf("sound of item %s: %w", item.ID, media.ErrHashMismatch)
	}
	sound, err := c.Video.Sound(ctx, data)
	for _, mute := range []error{media.ErrBroken, media.ErrUnsupported, media.ErrTooLarge, media.ErrChildKilled, media.ErrNoFFmpeg} {
		if errors.Is(err, mute) {
			return nil, errSilent
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sound of item %s: %w", item.ID, err)
	}
	if len(sound.Samples) == 0 {
		return nil, errSilent
	}
	return sound.WAV(), nil
}
