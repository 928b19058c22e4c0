package known

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/pdq"
	"nightlight/queue/store"
	"nightlight/workers/examine"
)

const hex64 = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"

func TestAFileOfHashesIsReadWithWhatItsGiverCallsThem(t *testing.T) {
	list, err := ReadCSV(strings.NewReader("\ufeffhash,reference\n# from the ministry\n\n" + hex64 + ",case 7\n\"" + strings.ToUpper(hex64) + "\"\n"))
	if err != nil || len(list) != 2 {
		t.Fatalf("got %v, %v", list, err)
	}
	if list[0].Reference != "case 7" || list[1].Reference != "" || list[0].Hash != list[1].Hash {
		t.Errorf("got %+v", list)
	}
}

func TestAWrongLineIsNamedAndNotQuoted(t *testing.T) {
	for text, line := range map[string]int{
		hex64 + "\nsecret\n": 2,
		"# only words\n":     1,
		"":                   1,
		hex64[:63] + "g\n":   1,
		hex64 + "," + strings.Repeat("x", 201) + "\n":    1,
		hex64 + "\n" + strings.Repeat("x", 5000) + "\n":  2,
		hex64 + "," + string([]byte{0xff, 0xfe}) + "\n":  1,
		hex64 + "\n\n\n" + hex64[1:] + ",secret words\n": 4,
	} {
		list, err := ReadCSV(strings.NewReader(text))
		var le *LineError
		if !errors.As(err, &le) || le.Line != line || list != nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, %v, want line %d", text[:min(len(text), 40)], list, err, line)
		}
	}
}

func FuzzAFileOfHashesIsReadWholeOrNotAtAll(f *testing.F) {
	f.Add([]byte(hex64 + ",a\n"))
	f.Add([]byte("hash\n\n\"" + hex64 + "\",\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := ReadCSV(strings.NewReader(string(text)))
		if (len(list) == 0) == (err == nil) {
			t.Errorf("%d hashes and %v", len(list), err)
		}
	})
}

// record is a store of banks in memory.
type record struct {
	version int64
	banks   []store.Bank
	hashes  map[string][]pdq.Hash
	err     error
}

func (r *record) BankVersion(context.Context) (int64, error)  { return r.version, r.err }
func (r *record) Banks(context.Context) ([]store.Bank, error) { return r.banks, r.err }
func (r *record) BankHashes(_ context.Context, each func(string, store.BankHash)) error {
	for bank, list := range r.hashes {
		for _, h := range list {
			each(bank, store.BankHash{Hash: h})
		}
	}
	return r.err
}

// print has the same hash however it is turned.
func print(h pdq.Hash) pdq.Print {
	p := pdq.Print{Hash: h, Quality: 100}
	for i := range p.Turned {
		p.Turned[i] = h
	}
	return p
}

func bent(h pdq.Hash, bits int) pdq.Hash {
	for k := range bits {
		h[k/8] ^= 1 << (k % 8)
	}
	return h
}

func TestABankOfOneHashFindsItsPictureWithinItsOwnThreshold(t *testing.T) {
	h, err := pdq.Parse(hex64)
	if err != nil {
		t.Fatal(err)
	}
	r := &record{version: 1, hashes: map[string][]pdq.Hash{"near": {h}, "exact": {h}, "files": {h}},
		banks: []store.Bank{{Name: "near", Kind: store.PDQBank, Threshold: 31}, {Name: "exact", Kind: store.PDQBank}, {Name: "files", Kind: store.SHA256Bank}}}
	b := NewBanks(r)
	for bits, want := range map[int]string{0: "near exact", 1: "near", 31: "near", 32: "", 200: ""} {
		found, err := b.Picture(t.Context(), print(bent(h, bits)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range found {
			names = append(names, m.Name)
			if m.Distance != bits {
				t.Errorf("%d bits away: distance %d", bits, m.Distance)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%d bits away: got %q, want %q", bits, got, want)
		}
	}
	if found, err := b.File(t.Context(), hex64); err != nil || len(found) != 1 || found[0].Name != "files" {
		t.Errorf("file: got %v, %v", found, err)
	}
}

func TestANewHashIsLookedForWithinASecondAndARecordThatFailsMeansAgain(t *testing.T) {
	h, err := pdq.Parse(hex64)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	r := &record{version: 1, hashes: map[string][]pdq.Hash{}}
	b := NewBanks(r)
	b.now = func() time.Time { return now }
	if found, err := b.Picture(t.Context(), print(h)); err != nil || len(found) != 0 {
		t.Fatalf("got %v, %v", found, err)
	}
	r.version, r.hashes["a"], r.banks = 2, []pdq.Hash{h}, []store.Bank{{Name: "a", Kind: store.PDQBank, Threshold: 31}}
	now = now.Add(fresh)
	if found, err := b.Picture(t.Context(), print(h)); err != nil || len(found) != 1 || b.Ref().Version != "2" {
		t.Errorf("got %v, %v by %v", found, err, b.Ref())
	}
	r.err = errors.New("no database")
	now = now.Add(fresh)
	if _, err := b.Picture(t.Context(), print(h)); !errors.Is(err, examine.ErrAgain) {
		t.Errorf("got %v, want ErrAgain", err)
	}
}

func server(t *testing.T, answer http.HandlerFunc) *HMA {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &HMA{URL: u}
}

func TestAnHMAServerIsAskedByHashAlone(t *testing.T) {
	h, err := pdq.Parse(hex64)
	if err != nil {
		t.Fatal(err)
	}
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/m/lookup" || q.Get("signal_type") != "pdq" || q.Get("signal") != hex64 {
			t.Errorf("asked %s", r.URL)
		}
		_, _ = io.WriteString(w, `{"BANK":[{"bank_content_id":9,"distance":"12"},{"bank_content_id":1,"distance":"4"}]}`)
	})
	got, err := s.Picture(t.Context(), print(h))
	want := []pipeline.BankMatch{{Name: "hma/BANK", Kind: "pdq", Distance: 4, Threshold: 31}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestAnHMAServerWithoutAUsableAnswerIsAnErrorAndNeverNoMatch(t *testing.T) {
	for name, answer := range map[string]string{"": "", "a page": "<html>", "no object": "5", "null": "null", "a distance that is none": `{"B":[{"distance":"x"}]}`, "a bank without a name": `{"":[]}`} {
		s := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
		if got, err := s.Picture(t.Context(), pdq.Print{}); err == nil {
			t.Errorf("%q: got %v and no error", name, got)
		}
	}
	tries := 0
	s := server(t, func(w http.ResponseWriter, _ *http.Request) { tries++; w.WriteHeader(http.StatusBadGateway) })
	if _, err := s.Picture(t.Context(), pdq.Print{}); err == nil || tries != 2 {
		t.Errorf("a failing server: %v after %d tries", err, tries)
	}
	if got, err := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `["OLD"]`) }).Picture(t.Context(), pdq.Print{}); err != nil || len(got) != 1 {
		t.Errorf("an older server: got %v, %v", got, err)
	}
}

func FuzzAnHMAServersAnswerIsMatchesOrAnError(f *testing.F) {
	f.Add([]byte(`{"B":[{"distance":"4"}]}`))
	f.Add([]byte(`["B"]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readHMA(body)
		for _, m := range got {
			if err != nil || m.Distance < 0 || m.Distance > m.Threshold || !strings.HasPrefix(m.Name, hmaPrefix) {
				t.Errorf("%+v, %v", m, err)
			}
		}
	})
}
