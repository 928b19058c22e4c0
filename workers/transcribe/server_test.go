package transcribe

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"nightlight/pipeline/speech"
	"nightlight/pipeline/speech/speechtest"
)

const verbose = `{"text":"hello there","language":"english","segments":[{"start":0.1,"end":0.9,"text":" hello there","avg_logprob":-0.2,"no_speech_prob":0.01,"compression_ratio":0.8}]}`

func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *Server {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(h.Close)
	s, err := New(Settings{URL: h.URL + "/v1/audio/transcriptions", Model: "large", Key: "word"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAServerIsAskedInTheUsualShapeAndKeepsATranscribersPromises(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		file, head, err := r.FormFile("file")
		if err != nil || r.FormValue("model") != "large" || r.FormValue("response_format") != "verbose_json" || r.Header.Get("Authorization") != "Bearer word" {
			t.Errorf("asked wrongly: %v, %v", r.Form, err)
			return
		}
		wav, err := io.ReadAll(file)
		if err != nil || head.Size != 44+2*speech.Rate || string(wav[:4]) != "RIFF" || string(wav[8:12]) != "WAVE" {
			t.Errorf("the file is no WAV of one second: %d bytes, %v", head.Size, err)
		}
		_, _ = io.WriteString(w, verbose)
	})
	speechtest.Conform(t, s, make([]float32, speech.Rate))
}

func TestAServerThatFailsIsAnErrorAndNeverSilence(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"a refusal":              func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) },
		"a page":                 func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>") },
		"an empty object":        func(w http.ResponseWriter) { _, _ = io.WriteString(w, "{}") },
		"a redirect":             func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(http.StatusFound) },
		"an answer without end":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat(" ", maxAnswer+10)) },
		"an answer cut in half":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, verbose[:60]) },
		"words that are no text": func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"text":5}`) },
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w) })
		if got, err := s.Transcribe(t.Context(), make([]float32, 100)); err == nil {
			t.Errorf("%s: got %v and no error", name, got)
		} else if strings.Contains(err.Error(), "hello") {
			t.Errorf("%s: the error quotes what was said", name)
		}
	}
}

func TestAServerThatDoesNotAnswerForNowIsAway(t *testing.T) {
	for code, want := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusTooManyRequests: true, http.StatusBadRequest: false, http.StatusUnauthorized: false} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		if _, err := s.Transcribe(t.Context(), make([]float32, 100)); errors.Is(err, speech.ErrAway) != want {
			t.Errorf("status %d: got %v, want away %t", code, err, want)
		}
	}
	s, err := New(Settings{URL: "http://127.0.0.1:1/v1/audio/transcriptions", Model: "m", Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Transcribe(t.Context(), make([]float32, 100)); !errors.Is(err, speech.ErrAway) {
		t.Errorf("nobody listens: got %v, want away", err)
	}
}

func TestWordsWithoutTheirProbabilitiesPassNoBar(t *testing.T) {
	for _, text := range []string{`{"text":"hello there","language":"en"}`, `{"text":"hello there","language":"en","segments":[{"start":0,"end":1,"text":"hello there"}]}`} {
		got, err := segments([]byte(text), 2)
		if err != nil || len(got) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		if !math.IsNaN(got[0].AvgLogProb) || !math.IsNaN(got[0].NoSpeech) {
			t.Errorf("%s: got %+v, want numbers that no bar takes", text, got[0])
		}
	}
}

func TestAVoiceDoesNotLeaveThisMachineInTheClearByMistake(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://speech.example/v1/audio/transcriptions": true, "http://127.0.0.1:9/x": true, "http://localhost/x": true,
		"http://speech.example/x": false, "ftp://x/y": false, "": false, "https://me:word@speech.example/x": false,
	} {
		if _, err := New(Settings{URL: url, Model: "m"}); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := New(Settings{URL: "http://speech.example/x", Model: "m", Plain: true}); err != nil {
		t.Errorf("allowed by name: %v", err)
	}
}

func FuzzAnAnswerEndsInSegmentsInsideTheSoundOrAnError(f *testing.F) {
	f.Add([]byte(verbose))
	f.Add([]byte(`{"text":"x","segments":[{"start":-5,"end":1e300,"text":"x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := segments(text, 3)
		if err != nil {
			return
		}
		for _, s := range got {
			if !(s.Start >= 0 && s.End >= s.Start && s.End <= 3) {
				t.Errorf("from %v to %v", s.Start, s.End)
			}
		}
		if !json.Valid(text) {
			t.Error("taken although it is no JSON")
		}
	})
}
