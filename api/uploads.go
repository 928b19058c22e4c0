package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// UploadBody asks for room for one file.
type UploadBody struct {
	ContentType string `json:"content_type" must:"yes" doc:"The type of the content, which is compared with the content itself." max:"64"`
	Bytes       int64  `json:"bytes" must:"yes" least:"1"`
	SHA256      string `json:"sha256" must:"yes" doc:"64 lower-case hexadecimal digits." max:"64"`
}

// UploadView says where the file goes.
type UploadView struct {
	UploadID  string            `json:"upload_id" must:"yes"`
	URL       string            `json:"url" must:"yes"`
	Method    string            `json:"method" must:"yes" enum:"PUT"`
	Headers   map[string]string `json:"headers" must:"yes" doc:"Send each as it stands. No API key is needed."`
	ExpiresAt time.Time         `json:"expires_at" must:"yes"`
}

var uploadFields = []field[UploadBody]{
	{"content_type", true, func(s *scan, b *UploadBody) {
		if b.ContentType, _ = s.text(64); b.ContentType != "" && media.Type(b.ContentType).Kind() == "" {
			s.wrong("no type that is accepted")
		}
	}},
	{"bytes", true, func(s *scan, b *UploadBody) { b.Bytes, _ = s.whole(1, 1<<40) }},
	{"sha256", true, func(s *scan, b *UploadBody) {
		v, ok := s.text(64)
		if ok && (len(v) != 64 || strings.Trim(v, "0123456789abcdef") != "") {
			s.wrong("want 64 lower-case hexadecimal digits")
		}
		b.SHA256 = v
	}},
}

// postUpload makes room for a file: in the bucket when clients can put there
// by themselves, else here.
func (a *API) postUpload(c *call) error {
	raw, free, err := a.body(c)
	if err != nil {
		return err
	}
	defer free()
	var b UploadBody
	if errs := document(raw, func(s *scan) { object(s, uploadFields, &b) }); len(errs) > 0 {
		return invalid(errs...)
	}
	if most := c.limit(a.Limits.Media.BytesFor(media.Type(b.ContentType).Kind())); b.Bytes > most {
		return invalidField("bytes", "want 1 to "+strconv.FormatInt(most, 10))
	}
	ctx := c.r.Context()
	u, err := a.Store.CreateUpload(ctx, store.Upload{
		Tenant: c.tenant(), ContentType: b.ContentType, Bytes: b.Bytes, SHA256: b.SHA256,
	}, a.Limits.UploadFor)
	if err != nil {
		return fromStore(err)
	}
	up, ok, err := a.Media.PresignPut(ctx, staging(u), u.ContentType, u.Bytes, u.SHA256, a.Limits.PresignFor)
	if err != nil {
		return unavailable("The media store", err)
	}
	if !ok {
		up = a.ourUpload(c.r, u)
	}
	return c.json(http.StatusCreated, UploadView{u.ID, up.URL, up.Method, up.Headers, up.Expires.UTC()})
}

// ourUpload is the way in through this process. Its token stands for the
// upload alone, so that a device can send the file without an API key.
func (a *API) ourUpload(r *http.Request, u store.Upload) media.Upload {
	expires := a.Now().Add(a.Limits.PresignFor).UTC().Truncate(time.Second)
	return media.Upload{
		URL:    a.publicURL(r) + "/v1/uploads/" + u.ID + "/content",
		Method: http.MethodPut,
		Headers: map[string]string{
			"Content-Type": u.ContentType,
			uploadToken:    tokenFor(u, expires),
		},
		Expires: expires,
	}
}

// publicURL is what links begin with. The request's own host only ever reaches
// the client that sent it.
func (a *API) publicURL(r *http.Request) string {
	if a.PublicURL != "" {
		return strings.TrimSuffix(a.PublicURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u, err := url.Parse(scheme + "://" + r.Host)
	if err != nil || u.Host == "" || u.Host != r.Host || u.Path != "" || u.User != nil {
		return ""
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && strings.Trim(strings.ToLower(u.Hostname()), "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return ""
	}
	return scheme + "://" + r.Host
}

// uploadToken is the header that a token travels in.
const uploadToken = "X-Upload-Token"

// tokenFor permits putting one upload's content until it expires. It is signed
// with the upload's wrapped key, which never leaves the database and is gone
// once an item took the upload.
func tokenFor(u store.Upload, expires time.Time) string {
	until := strconv.FormatInt(expires.Unix(), 10)
	mac := hmac.New(sha256.New, u.Key)
	mac.Write([]byte("upload v1\x00" + u.ID + "\x00" + until))
	return base64.RawURLEncoding.EncodeToString([]byte(u.Tenant)) + "." + until + "." + hex.EncodeToString(mac.Sum(nil))
}

// byToken finds the upload that a token permits.
func (a *API) byToken(c *call) (store.Upload, error) {
	tenant, rest, _ := strings.Cut(c.r.Header.Get(uploadToken), ".")
	until, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(tenant)
	unix, err2 := strconv.ParseInt(until, 10, 64)
	if err != nil || err2 != nil || !printable(string(raw)) {
		return store.Upload{}, unauthorized()
	}
	expires := time.Unix(unix, 0)
	u, err := a.Store.Upload(c.r.Context(), string(raw), c.param)
	if errors.Is(err, store.ErrNotFound) {
		return u, unauthorized()
	}
	if err != nil {
		return u, fromStore(err)
	}
	good := len(u.Key) > 0 && hmac.Equal([]byte(tokenFor(u, expires)), []byte(c.r.Header.Get(uploadToken)))
	if !good || a.Now().After(expires) {
		return store.Upload{}, unauthorized()
	}
	c.key.Tenant = u.Tenant
	return u, nil
}

// putContent takes an upload's file.
func (a *API) putContent(c *call) error {
	u, err := a.uploadOf(c)
	if err != nil {
		return err
	}
	if !plainType(c.r.Header, u.ContentType) {
		return unsupported("the content type that the upload was made for")
	}
	if c.r.ContentLength >= 0 && c.r.ContentLength != u.Bytes {
		return invalidField("body", "does not have the stated size and SHA-256")
	}
	if u.Stored || u.ItemID != "" {
		return conflict("This upload has its content already.")
	}
	if !a.Now().Before(u.ExpiresAt) {
		return conflict("This upload has expired.")
	}
	most := int64(media.SniffLen) + 64<<10 // a film passes through
	if media.Type(u.ContentType).Kind() == media.Photo {
		most = u.Bytes
	}
	free, err := a.flight.take(most)
	if err != nil {
		return err
	}
	defer free()
	if err := a.receive(c.r.Context(), u, http.MaxBytesReader(c.w, c.r.Body, u.Bytes+1)); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) uploadOf(c *call) (store.Upload, error) {
	if c.guest {
		return a.byToken(c)
	}
	u, err := a.Store.Upload(c.r.Context(), c.tenant(), c.param)
	if err != nil {
		return u, fromStore(err)
	}
	return u, nil
}
