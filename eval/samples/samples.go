// Package samples is what `make up` sends through the real system: harmless
// messages in Chinese and English, drawn pictures and a generated clip, each
// with the end that it must come to.
package samples

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"nightlight/api/client"
	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/rules"
)

// Sample is one thing to send.
type Sample struct {
	Name string
	Item client.Item
	// File is empty for a message.
	File        []byte
	ContentType string
	// State is where the item must stand in the end, Label what must have been
	// found; empty for nothing.
	State client.State
	Label pipeline.Label
	// Missing says why the sample cannot be sent here.
	Missing string
}

func age(n int) *int { return &n }

// All returns the samples. Severe ones use the documented test phrases and
// test cards, which trip the real system without any harmful material.
func All(ctx context.Context) []Sample {
	message := func(name, text string, from, to int, state client.State, label pipeline.Label) Sample {
		return Sample{Name: name, State: state, Label: label, Item: client.Item{
			Kind: pipeline.KindMessage, Text: text, Audience: "direct", Locale: locale(text),
			Sender: pipeline.Person{ID: "sample-a", Age: age(from)}, Recipients: []pipeline.Person{{ID: "sample-b", Age: age(to)}},
		}}
	}
	picture := func(name string, file []byte, contentType string, state client.State, label pipeline.Label) Sample {
		kind := pipeline.KindPhoto
		if strings.HasPrefix(contentType, "video/") {
			kind = pipeline.KindVideo
		}
		return Sample{Name: name, File: file, ContentType: contentType, State: state, Label: label, Item: client.Item{
			Kind: kind, Audience: "direct", Locale: "zh-CN",
			Sender: pipeline.Person{ID: "sample-a", Age: age(10)}, Recipients: []pipeline.Person{{ID: "sample-b", Age: age(10)}},
		}}
	}
	list := []Sample{
		message("a plain message, zh", "今天作业好多啊", 10, 10, client.Closed, ""),
		message("a plain message, en", "did you finish the maths homework", 10, 10, client.Closed, ""),
		message("hyperbole, zh", "笑死我了哈哈哈哈", 10, 10, client.Closed, ""),
		message("gives a number away, zh", "我电话13800000000 打给我", 16, 16, client.Closed, pipeline.PrivacyGives),
		message("test phrase, zh", rules.TestPhrase(pipeline.GroomingMeeting, "zh"), 30, 10, client.InReview, pipeline.GroomingMeeting),
		message("test phrase, en", rules.TestPhrase(pipeline.SelfharmExpressed, "en"), 12, 12, client.InReview, pipeline.SelfharmExpressed),
		picture("a drawn picture", encodeJPEG(Landscape(640, 480)), "image/jpeg", client.Closed, ""),
		picture("a test card", encodePNG(testCard()), "image/png", client.InReview, pipeline.SexualExplicit),
		picture("a test card in a GIF's second frame", animation(), "image/gif", client.InReview, pipeline.SexualExplicit),
		picture("a picture cut short", encodeJPEG(Landscape(640, 480))[:4000], "image/jpeg", client.Quarantined, ""),
	}
	clip := picture("a clip", nil, "video/mp4", client.Closed, "")
	var err error
	if clip.File, err = makeClip(ctx); err != nil {
		clip.Missing = "ffmpeg is not installed"
	}
	return append(list, clip)
}

func locale(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }) {
		return "zh-CN"
	}
	return "en"
}

// Landscape draws hills under a sky: a picture with colours and edges that
// shows nothing.
func Landscape(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			hill := h/2 + (x*x/(w+1))%(h/3) - (x/3)%40
			c := color.RGBA{uint8(90 + 60*y/h), uint8(140 + 80*y/h), 235, 255}
			if y > hill {
				c = color.RGBA{uint8(40 + (x*7+y*3)%23), uint8(120 + (x+y)%37), uint8(50 + y%11), 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func testCard() image.Image {
	m, err := media.TestCard(string(pipeline.SexualExplicit))
	if err != nil {
		panic(err) // the label is one that cards know, as a test of media holds
	}
	return m
}

func encodeJPEG(m image.Image) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, m, nil) // writing to memory does not fail
	return b.Bytes()
}

func encodePNG(m image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, m) // writing to memory does not fail
	return b.Bytes()
}

// animation is a GIF whose first frame is plain and whose second is a test
// card.
func animation() []byte {
	card := testCard()
	palette := color.Palette{color.White, color.Black}
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				palette = append(palette, color.RGBA{uint8(r), uint8(g), uint8(b), 255})
			}
		}
	}
	plain, second := image.NewPaletted(card.Bounds(), palette), image.NewPaletted(card.Bounds(), palette)
	for y := card.Bounds().Min.Y; y < card.Bounds().Max.Y; y++ {
		for x := card.Bounds().Min.X; x < card.Bounds().Max.X; x++ {
			second.Set(x, y, card.At(x, y))
		}
	}
	var b bytes.Buffer
	_ = gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{plain, second}, Delay: []int{50, 50}}) // writing to memory does not fail
	return b.Bytes()
}

// makeClip has ffmpeg draw three seconds of the Mandelbrot set: a picture in
// which nothing is written.
func makeClip(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "mandelbrot=size=480x270:rate=25", "-t", "3",
		"-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1").Output()
}

// patience is how long a sample may take from accept to verdict.
const patience = 60 * time.Second

// Run sends every sample, waits for its verdict and prints a table. well is
// false when one did not end as it should.
func Run(ctx context.Context, url, key string, w io.Writer) (well bool, err error) {
	c := client.New(url, key)
	if err := ready(ctx, url); err != nil {
		return false, fmt.Errorf("the API is not ready: %w", err)
	}
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "\nSAMPLE\tKIND\tSTATE\tACTION\tLABELS\tMS\tAS EXPECTED")
	well = true
	for _, s := range All(ctx) {
		if s.Missing != "" {
			fmt.Fprintf(table, "%s\t%s\tnot sent: %s\n", s.Name, s.Item.Kind, s.Missing)
			continue
		}
		started := time.Now()
		got, err := Send(ctx, c, s)
		if err != nil {
			return false, fmt.Errorf("sample %q: %w", s.Name, err)
		}
		ok := s.Matches(got)
		well = well && ok
		action, labels := describe(got)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", s.Name, s.Item.Kind, got.State, action, labels, time.Since(started).Milliseconds(), yesNo(ok))
	}
	return well, table.Flush()
}

// Send sends one sample and waits for its verdict.
func Send(ctx context.Context, c *client.Client, s Sample) (client.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var got client.Status
	var err error
	if s.File == nil {
		got, err = c.Submit(ctx, s.Item, client.MaxWait)
	} else {
		got, err = c.SubmitMedia(ctx, s.Item, bytes.NewReader(s.File), client.MaxWait)
	}
	if err != nil || got.Verdict != nil {
		return got, err
	}
	return c.Wait(ctx, got.ID)
}

// ready waits until the server says that it is.
func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Matches reports whether the sample came to its end.
func (s Sample) Matches(got client.Status) bool {
	if got.State != s.State || got.Verdict == nil {
		return false
	}
	if s.Label == "" {
		return len(got.Verdict.Labels) == 0
	}
	return slices.ContainsFunc(got.Verdict.Labels, func(l pipeline.LabelScore) bool { return l.Label == s.Label })
}

func describe(got client.Status) (action, labels string) {
	if got.Verdict == nil {
		return "", ""
	}
	var names []string
	for _, l := range got.Verdict.Labels {
		names = append(names, fmt.Sprintf("%s %.2f", l.Label, l.Score))
	}
	return string(got.Action()), strings.Join(names, ", ")
}

func yesNo(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}
