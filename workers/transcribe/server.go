// Package transcribe has speech written down by a server of the operator's own, over HTTP in the shape of OpenAI's
// transcription endpoint, which many self-hosted servers speak. It is the second Transcriber beside Whisper in this
// process: for a larger model, a GPU, or another recogniser. What it says is held to the same bars, and a number that
// the server does not give fails its bar: words without a probability were not heard.
package transcribe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/speech"
)

// Settings say where the server is. URL and Model are needed.
type Settings struct {
	URL      string        // of the endpoint, such as https://speech.internal/v1/audio/transcriptions
	Model    string        // the server's name of the model; it stands in verdicts
	Key      string        // sent as a bearer token, unless empty
	Plain    bool          // plain HTTP to another machine than this one
	Parallel int           // requests at a time; default 4
	Timeout  time.Duration // for one window of up to half a minute; default 2 minutes
}

// Server is a Transcriber behind HTTP. It is safe for concurrent use.
type Server struct {
	settings Settings
	client   *http.Client
	slots    chan struct{}
}

// maxAnswer bounds an answer, in bytes: half a minute of speech fills a few thousand.
const maxAnswer = 1 << 20

// New checks the settings. It does not ask the server.
func New(s Settings) (*Server, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("transcriber: want a URL such as https://HOST/v1/audio/transcriptions")
	}
	if u.Scheme == "http" && !s.Plain && !loopback(u.Hostname()) {
		return nil, errors.New("transcriber: a child's voice would leave this machine over plain HTTP, which must be allowed by name")
	}
	if s.Model == "" || strings.ContainsAny(s.Model, " \t\r\n@") {
		return nil, errors.New("transcriber: want the server's name of the model, without blanks")
	}
	if s.Parallel <= 0 {
		s.Parallel = 4
	}
	if s.Timeout <= 0 {
		s.Timeout = 2 * time.Minute
	}
	return &Server{settings: s, slots: make(chan struct{}, s.Parallel), client: &http.Client{
		Timeout:       s.Timeout,
		Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: s.Parallel, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a voice goes nowhere else
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Models names the server's model.
func (s *Server) Models() []pipeline.ModelRef {
	return []pipeline.ModelRef{{Name: "transcriber", Version: s.settings.Model}}
}

// Ready tells whether the server answers at all; what it answers to a bare question does not matter.
func (s *Server) Ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.settings.URL, nil)
	if err != nil {
		return errors.New("transcriber: no request can be made")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("transcriber: %s", why(err))
	}
	return resp.Body.Close()
}

// Transcribe has one window written down.
func (s *Server) Transcribe(ctx context.Context, samples []float32) ([]speech.Segment, error) {
	if len(samples) > speech.MaxWindow*speech.Rate {
		return nil, fmt.Errorf("transcribe %d samples: more than %d seconds", len(samples), speech.MaxWindow)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the transcriber: %w", ctx.Err())
	}
	body, kind, err := form(s.settings.Model, samples)
	if err != nil {
		return nil, fmt.Errorf("write to the transcriber: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.settings.URL, body)
	if err != nil {
		return nil, errors.New("ask the transcriber: no request can be made")
	}
	req.Header.Set("Content-Type", kind)
	if s.settings.Key != "" {
		req.Header.Set("Authorization", "Bearer "+s.settings.Key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("ask the transcriber: %w", ctx.Err())
		}
		return nil, fmt.Errorf("ask the transcriber: %s: %w", why(err), speech.ErrAway)
	}
	defer func() { _ = resp.Body.Close() }() // only read
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return nil, fmt.Errorf("ask the transcriber: status %d: %w", code, speech.ErrAway)
	case code != http.StatusOK:
		return nil, fmt.Errorf("ask the transcriber: status %d", code)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(text) > maxAnswer {
		return nil, errors.New("read the transcriber's answer: it breaks off or is too long")
	}
	return segments(text, float64(len(samples))/speech.Rate)
}

// why names a failed request's kind; the error itself holds the address.
func why(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer in time"
	}
	return "it cannot be reached"
}

// form is the question: the sound as a WAV file, and that segments with their numbers are wanted.
func form(model string, samples []float32) (*bytes.Buffer, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, field := range [][2]string{{"model", model}, {"response_format", "verbose_json"}, {"temperature", "0"}, {"timestamp_granularities[]", "segment"}} {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, "", err
		}
	}
	file, err := w.CreateFormFile("file", "speech.wav")
	if err != nil {
		return nil, "", err
	}
	if _, err := file.Write(wav(samples)); err != nil {
		return nil, "", err
	}
	return &b, w.FormDataContentType(), w.Close()
}

// answer is what of a verbose answer is read. Pointers tell what is missing.
type answer struct {
	Text     *string `json:"text"`
	Language string  `json:"language"`
	Segments []struct {
		Start       float64  `json:"start"`
		End         float64  `json:"end"`
		Text        string   `json:"text"`
		AvgLogProb  *float64 `json:"avg_logprob"`
		NoSpeech    *float64 `json:"no_speech_prob"`
		Compression float64  `json:"compression_ratio"`
	} `json:"segments"`
}

// segments reads an answer about so many seconds of sound. Its errors quote nothing.
func segments(text []byte, seconds float64) ([]speech.Segment, error) {
	var a answer
	if err := json.Unmarshal(text, &a); err != nil || a.Text == nil {
		return nil, errors.New("read the transcriber's answer: it is no transcription")
	}
	language, known := languageOf(a.Language)
	base := speech.Segment{Language: language, Known: known, AvgLogProb: math.NaN(), NoSpeech: math.NaN()}
	if len(a.Segments) == 0 {
		if strings.TrimSpace(*a.Text) == "" {
			return nil, nil
		}
		base.End, base.Text = seconds, *a.Text // words without numbers, which are not trusted
		return []speech.Segment{base}, nil
	}
	var out []speech.Segment
	for _, s := range a.Segments {
		g := base
		g.Start, g.End, g.Text = min(max(s.Start, 0), seconds), min(max(s.End, 0), seconds), s.Text
		g.End = max(g.Start, g.End) // servers pad to half a minute
		g.Compression = s.Compression
		if s.AvgLogProb != nil {
			g.AvgLogProb = *s.AvgLogProb
		}
		if s.NoSpeech != nil {
			g.NoSpeech = *s.NoSpeech
		}
		out = append(out, g)
	}
	return out, nil
}

// languageOf reads a code or a name in English. Servers do not say how sure they are.
func languageOf(name string) (code string, known float64) {
	switch strings.ToLower(name) {
	case "zh", "zh-cn", "zh-tw", "chinese", "mandarin":
		return "zh", 1
	case "en", "en-us", "en-gb", "english":
		return "en", 1
	}
	return "other", 0
}
