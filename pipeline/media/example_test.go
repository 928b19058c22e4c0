package media_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"strings"

	"nightlight/pipeline/media"
)

func ExampleSniff() {
	for _, head := range []string{"\x89PNG\r\n\x1a\n", "OggS\x00", "<svg xmlns=\"http://www.w3.org/2000/svg\">"} {
		t, err := media.Sniff([]byte(head))
		fmt.Println(t, t.Kind(), errors.Is(err, media.ErrUnsupported))
	}
	// Output:
	// image/png photo false
	// audio/ogg voice false
	//   true
}

// A test card goes the real way through a decoding child. The binary must call
// ChildMain under ChildCommand; this test binary does so in TestMain.
func ExampleDecoder() {
	card, err := media.TestCard("sexual.explicit")
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, card); err != nil {
		panic(err)
	}
	d, err := media.NewDecoder(media.DecoderOptions{Children: 1})
	if err != nil {
		panic(err)
	}
	defer d.Close()
	got, err := d.Decode(context.Background(), file.Bytes(), media.Want{
		Squares: []media.Square{{Size: 224, Mode: media.Stretch}},
		Preview: 256,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(got.Type, got.Width, got.Height, len(got.Frames), got.TestCard)
	// Output: image/png 512 552 1 sexual.explicit
}

// The key of an item is stored wrapped, beside the item. What was sealed with it
// opens while that is there, and never again once it is destroyed.
func ExampleKeyring() {
	ring, err := media.NewKeyring("2026", map[string][]byte{"2026": bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		panic(err)
	}
	key, wrapped, err := ring.NewItemKey("item-1")
	if err != nil {
		panic(err)
	}
	sealed := key.Seal("text", []byte("see you at the pool"))

	again, err := ring.Unwrap(wrapped, "item-1")
	if err != nil {
		panic(err)
	}
	text, err := again.Open("text", sealed)
	fmt.Println(string(text), err)
	_, err = ring.Unwrap(wrapped, "item-2")
	fmt.Println(errors.Is(err, media.ErrTampered))
	// Output:
	// see you at the pool <nil>
	// true
}

func ExampleSealed() {
	dir, err := os.MkdirTemp("", "media")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	folder, err := media.OpenFolder(dir)
	if err != nil {
		panic(err)
	}
	defer folder.Close()
	ring, err := media.NewKeyring("2026", map[string][]byte{"2026": bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		panic(err)
	}
	key, _, err := ring.NewItemKey("item-1")
	if err != nil {
		panic(err)
	}
	store := media.NewSealed(folder, key)
	if err := store.Put(context.Background(), "item-1/original", strings.NewReader("bytes"), 5, ""); err != nil {
		panic(err)
	}
	r, err := store.Get(context.Background(), "item-1/original")
	if err != nil {
		panic(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	fmt.Println(string(b), err)
	// Output: bytes <nil>
}
