package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// picture is a small PNG of one plain colour, different for each n.
func picture(t testing.TB, n int) []byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = byte(n)
	}
	img.SetGray(n%40, 3, color.Gray{Y: 200})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func photo(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 32, 32)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wide is a PNG whose header claims 30,000 by 30,000 pixels.
func wide(t testing.TB) []byte {
	b := picture(t, 1)
	copy(b[16:], []byte{0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30})
	sum := crc32.ChecksumIEEE(b[12:29])
	copy(b[29:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return b
}

// film is the beginning of an MP4 file with some bytes behind it.
func film() []byte {
	return append([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"), bytes.Repeat([]byte("frame"), 30_000)...)
}

func form(t testing.TB, parts ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		var p io.Writer
		var err error
		if parts[i] == "file" {
			p, err = w.CreateFormFile("file", "../../"+canary+".png")
		} else {
			p, err = w.CreateFormField(parts[i])
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

const photoItem = `{"external_id":"p-1","kind":"photo","text":"my drawing","sender":{"id":"a1","age":9}}`

// stored opens what the media store has of an item, as a worker would.
func (d *desk) stored(id string) []byte {
	d.t.Helper()
	it, err := d.Store.Item(d.t.Context(), d.tenant, id)
	if err != nil || it.Media == nil {
		d.t.Fatalf("got media %v, %v", it.Media, err)
	}
	key, err := d.Store.ItemKey(d.t.Context(), d.tenant, id)
	if err != nil {
		d.t.Fatal(err)
	}
	objects, err := d.vault.Objects(d.Media, key)
	if err != nil {
		d.t.Fatal(err)
	}
	b, err := media.ReadAll(d.t.Context(), objects, it.Media.Key, it.Media.Bytes)
	if err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	if hex.EncodeToString(sum[:]) != it.Media.SHA256 {
		d.t.Errorf("the record's SHA-256 is not the content's")
	}
	raw, err := media.ReadAll(d.t.Context(), d.Media, it.Media.Key, 1<<30)
	if err != nil {
		d.t.Fatal(err)
	}
	if bytes.Contains(raw, b[:16]) {
		d.t.Error("the object rests in the clear")
	}
	return b
}

func TestAPhotoComesWithItsItem(t *testing.T) {
	for name, order := range map[string][2]string{"item first": {"item", "file"}, "file first": {"file", "item"}} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			file := picture(t, 1)
			parts := map[string]string{"item": photoItem, "file": string(file)}
			body, content := form(t, order[0], parts[order[0]], order[1], parts[order[1]])
			got := decode[AcceptedView](d, d.ask("POST", "/v1/items", body, "Content-Type", content), 202)
			if !bytes.Equal(d.stored(got.ID), file) {
				t.Error("what is stored is not what was sent")
			}
			again := decode[AcceptedView](d, d.ask("POST", "/v1/items", body, "Content-Type", content), 202)
			if again != got {
				t.Errorf("got %+v for the repeat, want %+v", again, got)
			}
			other, content := form(t, "item", photoItem, "file", string(picture(t, 2)))
			if got := fields(decode[Problem](d, d.ask("POST", "/v1/items", other, "Content-Type", content), 422)); got != "external_id" {
				t.Errorf("got field %q for another picture, want external_id", got)
			}
			if log := d.log.String(); strings.Contains(log, canary) {
				t.Error("the file's name is in the log")
			}
		})
	}
}

func TestBadFilesAreRefusedByField(t *testing.T) {
	d := open(t)
	good := string(picture(t, 1))
	video := strings.Replace(photoItem, "photo", "video", 1)
	for _, test := range []struct {
		name  string
		parts []string
		field string
	}{
		{"no file", []string{"item", photoItem}, "file"},
		{"an empty file", []string{"item", photoItem, "file", ""}, "file"},
		{"no item", []string{"file", good}, "item"},
		{"nothing", nil, "item file"},
		{"another part", []string{"item", photoItem, "file", good, "more", canary}, "body"},
		{"the item twice", []string{"item", photoItem, "item", photoItem}, "item"},
		{"the file twice", []string{"file", good, "file", good}, "file"},
		{"a bad item", []string{"item", strings.Replace(photoItem, `"age":9`, `"age":900`, 1), "file", good}, "sender.age"},
		{"a message", []string{"item", message, "file", good}, "file"},
		{"an upload besides", []string{"item", strings.Replace(photoItem, "{", `{"upload_id":"up_1",`, 1), "file", good}, "upload_id"},
		{"text", []string{"item", photoItem, "file", canary}, "file"},
		{"a page", []string{"item", photoItem, "file", "<!doctype html><script>" + canary + "</script>"}, "file"},
		{"SVG", []string{"item", photoItem, "file", `<svg xmlns="http://www.w3.org/2000/svg"/>`}, "file"},
		{"a playlist as a video", []string{"item", video, "file", "#EXTM3U\nfile:///etc/passwd"}, "file"},
		{"a picture of 900 megapixels", []string{"item", photoItem, "file", string(wide(t))}, "file"},
		{"a cut picture", []string{"item", photoItem, "file", good[:20]}, "file"},
		{"a film as a photo", []string{"item", photoItem, "file", string(film())}, "file"},
		{"a photo as a video", []string{"item", video, "file", good}, "file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.in(t)
			body, content := form(t, test.parts...)
			res := d.ask("POST", "/v1/items", body, "Content-Type", content)
			p := decode[Problem](d, res, 422)
			if got := fields(p); got != test.field {
				t.Errorf("got field %q, want %q", got, test.field)
			}
			if strings.Contains(fmt.Sprint(p)+d.log.String(), canary) {
				t.Error("what was sent came back")
			}
		})
	}
	for name, body := range map[string]string{"garbage": canary, "a cut part": "--x\r\nContent-Disposition: form-data; name=\"item\"\r\n\r\n{"} {
		if got := fields(decode[Problem](d, d.ask("POST", "/v1/items", body, "Content-Type", "multipart/form-data; boundary=x"), 422)); got != "body" {
			t.Errorf("%s: got field %q, want body", name, got)
		}
	}
	list := decode[ListView](d, d.ask("GET", "/v1/items", ""), 200)
	if len(list.Items) != 0 {
		t.Errorf("got %d items of refused files", len(list.Items))
	}
}

func uploadFor(file []byte, content string) string {
	sum := sha256.Sum256(file)
	return fmt.Sprintf(`{"content_type":%q,"bytes":%d,"sha256":"%x"}`, content, len(file), sum)
}

// put sends a file the way an upload's answer says, without an API key.
func (d *desk) put(up UploadView, file []byte, change ...string) *http.Response {
	d.t.Helper()
	r := httptest.NewRequest(up.Method, up.URL, bytes.NewReader(file))
	for name, value := range up.Headers {
		r.Header.Set(name, value)
	}
	for i := 0; i+1 < len(change); i += 2 {
		r.Header.Set(change[i], change[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result()
}

func TestAnUploadTakesItsFileAndThenAnItem(t *testing.T) {
	for _, test := range []struct {
		name, content, kind string
		file                []byte
	}{
		{"a picture", "image/png", "photo", picture(t, 3)},
		{"a photo", "image/jpeg", "photo", photo(t)},
		{"a film", "video/mp4", "video", film()},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := open(t)
			up := decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(test.file, test.content)), 201)
			item := strings.Replace(photoItem, `"kind":"photo"`, `"kind":"`+test.kind+`","upload_id":"`+up.UploadID+`"`, 1)
			if got := fields(decode[Problem](d, d.ask("POST", "/v1/items", item), 422)); got != "upload_id" {
				t.Errorf("got field %q before the file came, want upload_id", got)
			}
			d.bodyOf(d.put(up, test.file), 204)
			d.bodyOf(d.put(up, test.file), 409)
			got := decode[AcceptedView](d, d.ask("POST", "/v1/items", item), 202)
			if !bytes.Equal(d.stored(got.ID), test.file) {
				t.Error("what is stored is not what was sent")
			}
			if again := decode[AcceptedView](d, d.ask("POST", "/v1/items", item), 202); again != got {
				t.Errorf("got %+v for the repeat, want %+v", again, got)
			}
			// the token is gone with the key
			d.bodyOf(d.put(up, test.file), 401)
			// the same file uploaded anew is still the same item
			second := decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(test.file, test.content)), 201)
			d.bodyOf(d.put(second, test.file), 204)
			if again := decode[AcceptedView](d, d.ask("POST", "/v1/items", strings.Replace(item, up.UploadID, second.UploadID, 1)), 202); again != got {
				t.Errorf("got %+v for the second upload, want %+v", again, got)
			}
			// and one upload makes one item
			if got := fields(decode[Problem](d, d.ask("POST", "/v1/items", strings.Replace(item, "p-1", "p-2", 1)), 422)); got != "upload_id" {
				t.Errorf("got field %q for a used upload, want upload_id", got)
			}
		})
	}
}

func TestAnUploadRefusesOtherContent(t *testing.T) {
	d := open(t)
	file, other := picture(t, 3), picture(t, 4)
	ask := func() UploadView {
		return decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(file, "image/png")), 201)
	}
	for name, test := range map[string]struct {
		file   []byte
		change []string
		status int
	}{
		"other bytes":         {append(append([]byte{}, file[:len(file)-1]...), file[len(file)-1]^1), nil, 422},
		"fewer bytes":         {file[:len(file)-1], nil, 422},
		"more bytes":          {append(append([]byte{}, file...), 0), nil, 422},
		"another type":        {file, []string{"Content-Type", "image/jpeg"}, 415},
		"another token":       {file, []string{uploadToken, "x.1.y"}, 401},
		"an empty token":      {file, []string{uploadToken, ""}, 401},
		"a longer life":       {file, []string{uploadToken, strings.Replace(ask().Headers[uploadToken], ".1", ".9", 1)}, 401},
		"another upload's":    {file, []string{uploadToken, ask().Headers[uploadToken]}, 401},
		"a token without end": {file, []string{uploadToken, base64.RawURLEncoding.EncodeToString([]byte(d.tenant))}, 401},
	} {
		if got := d.put(ask(), test.file, test.change...); got.StatusCode != test.status {
			t.Errorf("%s: got %d, want %d", name, got.StatusCode, test.status)
		}
	}
	stated := decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(other, "image/gif")), 201)
	if got := fields(decode[Problem](d, d.put(stated, other), 422)); got != "body" {
		t.Errorf("got field %q for a PNG as a GIF, want body", got)
	}
	late := ask()
	d.Now = func() time.Time { return time.Now().Add(6 * time.Minute) }
	d.bodyOf(d.put(late, file), 401)
}

func TestBadUploadRequestsAreRefusedByField(t *testing.T) {
	d := open(t)
	sum := strings.Repeat("a", 64)
	for body, field := range map[string]string{
		`{"content_type":"text/html","bytes":1,"sha256":"` + sum + `"}`:                              "content_type",
		`{"content_type":"image/svg+xml","bytes":1,"sha256":"` + sum + `"}`:                          "content_type",
		`{"content_type":"image/png","bytes":0,"sha256":"` + sum + `"}`:                              "bytes",
		`{"content_type":"image/png","bytes":1e3,"sha256":"` + sum + `"}`:                            "bytes",
		`{"content_type":"image/png","bytes":33554433,"sha256":"` + sum + `"}`:                       "bytes",
		`{"content_type":"image/png","bytes":1,"sha256":"` + strings.ToUpper(sum) + `"}`:             "sha256",
		`{"content_type":"image/png","bytes":1,"sha256":"` + sum[:63] + `"}`:                         "sha256",
		`{"content_type":"image/png","bytes":1}`:                                                     "sha256",
		`{"content_type":"image/png","bytes":1,"sha256":"` + sum + `","file_name":"` + canary + `"}`: "file_name",
	} {
		if got := fields(decode[Problem](d, d.ask("POST", "/v1/uploads", body), 422)); got != field {
			t.Errorf("%s: got field %q, want %q", body, got, field)
		}
	}
}

func TestUploadLinksBeginWithThePublicAddress(t *testing.T) {
	file := picture(t, 1)
	d := open(t, func(s *Settings) { s.PublicURL = "https://nightlight.example/" })
	up := decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(file, "image/png")), 201)
	if !strings.HasPrefix(up.URL, "https://nightlight.example/v1/uploads/") {
		t.Errorf("got %s", up.URL)
	}
	d = open(t)
	for host, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/v1/", "[::1]:80": "http://[::1]:80/v1/", "a.example": "http://a.example/v1/",
		"evil/x": "/v1/", "u:p@h": "/v1/", "a b": "/v1/", "": "/v1/", "<x>": "/v1/",
	} {
		r := httptest.NewRequest("POST", "/v1/uploads", nil)
		r.Host = host
		if got := d.ourUpload(r, store.Upload{ID: "u"}).URL; !strings.HasPrefix(got, want) {
			t.Errorf("host %q: got %s, want %s…", host, got, want)
		}
	}
}

// bucket is a media store into which clients can put by themselves, as S3 is;
// the content still rests in a folder.
type bucket struct {
	media.Store
	down error
}

func (b *bucket) PresignPut(_ context.Context, key, _ string, _ int64, _ string, expiry time.Duration) (media.Upload, bool, error) {
	return media.Upload{URL: "https://bucket.example/" + key, Method: "PUT", Expires: time.Now().Add(expiry)}, true, b.down
}

func (b *bucket) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) error {
	if b.down != nil {
		return b.down
	}
	return b.Store.Put(ctx, key, r, size, sum)
}

func TestWhatAClientPutIntoTheBucketIsCheckedAndSealed(t *testing.T) {
	b := &bucket{}
	d := open(t, func(s *Settings) { b.Store = s.Media; s.Media = b })
	file := picture(t, 5)
	for _, test := range []struct {
		name  string
		put   []byte
		field string
	}{
		{"nothing", nil, "upload_id"},
		{"other bytes", picture(t, 6), "upload_id"},
		{"a page", []byte("<html>" + canary), "upload_id"},
		{"the file", file, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.in(t)
			up := decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(file, "image/png")), 201)
			key := strings.TrimPrefix(up.URL, "https://bucket.example/")
			if test.put != nil {
				if err := b.Store.Put(t.Context(), key, bytes.NewReader(test.put), int64(len(test.put)), ""); err != nil {
					t.Fatal(err)
				}
			}
			item := strings.Replace(photoItem, "{", `{"upload_id":"`+up.UploadID+`",`, 1)
			res := d.ask("POST", "/v1/items", item)
			if test.field != "" {
				if got := fields(decode[Problem](d, res, 422)); got != test.field {
					t.Errorf("got field %q, want %q", got, test.field)
				}
				return
			}
			if got := decode[AcceptedView](d, res, 202); !bytes.Equal(d.stored(got.ID), file) {
				t.Error("what is stored is not what was sent")
			}
			if _, err := d.Media.Stat(t.Context(), key); !errors.Is(err, media.ErrNotFound) {
				t.Errorf("got %v for the object in the clear, want it gone", err)
			}
		})
	}
}

func TestOneItemSentManyTimesAtOnceIsAcceptedEachTimeThoughItsFileLiesInTheBucket(t *testing.T) {
	b := &bucket{}
	d := open(t, func(s *Settings) { b.Store = s.Media; s.Media = b })
	for n := range 5 {
		file := picture(t, 20+n)
		up := decode[UploadView](d, d.ask("POST", "/v1/uploads", uploadFor(file, "image/png")), 201)
		key := strings.TrimPrefix(up.URL, "https://bucket.example/")
		if err := b.Store.Put(t.Context(), key, bytes.NewReader(file), int64(len(file)), ""); err != nil {
			t.Fatal(err)
		}
		item := strings.Replace(strings.Replace(photoItem, "{", `{"upload_id":"`+up.UploadID+`",`, 1), "p-1", "p-"+itoa(n), 1)
		answers := make(chan *http.Response)
		for range 6 {
			go func() { answers <- d.ask("POST", "/v1/items", item) }()
		}
		ids := map[string]bool{}
		for range 6 {
			ids[decode[AcceptedView](d, <-answers, 202).ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("got %d items, want 1", len(ids))
		}
	}
}

func TestWhatStaysInTheClearIsSweptOnceItsUploadExpired(t *testing.T) {
	d := open(t)
	for _, key := range []string{"incoming/up_1", "media/aa/up_2"} {
		if err := d.Media.Put(t.Context(), key, strings.NewReader("x"), 1, ""); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := d.SweepIncoming(t.Context()); n != 0 || err != nil {
		t.Errorf("got %d, %v while the upload is good", n, err)
	}
	d.Now = func() time.Time { return time.Now().Add(time.Hour) }
	if n, err := d.SweepIncoming(t.Context()); n != 1 || err != nil {
		t.Errorf("got %d, %v, want 1", n, err)
	}
	if _, err := d.Media.Stat(t.Context(), "media/aa/up_2"); err != nil {
		t.Errorf("got %v for a sealed object", err)
	}
}

func TestADeadMediaStoreLeavesNoItem(t *testing.T) {
	b := &bucket{down: errors.New(canary)}
	d := open(t, func(s *Settings) { b.Store = s.Media; s.Media = b })
	body, content := form(t, "item", photoItem, "file", string(picture(t, 1)))
	for _, res := range []*http.Response{
		d.ask("POST", "/v1/items", body, "Content-Type", content),
		d.ask("POST", "/v1/uploads", uploadFor(picture(t, 1), "image/png")),
	} {
		if got := d.bodyOf(res, 503); strings.Contains(got+d.log.String(), canary) {
			t.Errorf("the store's words came out: %s", got)
		}
		if res.Header.Get("Retry-After") == "" {
			t.Error("503 has no Retry-After")
		}
	}
	if list := decode[ListView](d, d.ask("GET", "/v1/items", ""), 200); len(list.Items) != 0 {
		t.Errorf("got %d items", len(list.Items))
	}
}
