package api

import (
	"fmt"
	"strings"
	"testing"
)

// canary stands for a child's words: it must come back in no answer and stand
// in no log line.
const canary = "Zq7Kd93nVx0pLw8RtYb2HcMfGs5JaUe41oTiQvNE"

// with puts a field's JSON value into an otherwise good message.
func with(name, value string) string {
	return `{"kind":"message","text":"` + canary + `","sender":{"id":"a1"},"audience":"direct","` + name + `":` + value + `}`
}

// without the last field of with, so that name replaces a field that is there.
func instead(name, value string) string {
	fields := map[string]string{"kind": `"message"`, "text": `"` + canary + `"`, "sender": `{"id":"a1"}`}
	fields[name] = value
	var b strings.Builder
	for _, f := range []string{"kind", "text", "sender"} {
		fmt.Fprintf(&b, `,"%s":%s`, f, fields[f])
	}
	return "{" + b.String()[1:] + "}"
}

func TestBadBodiesAreRefusedByFieldAndNeverQuoted(t *testing.T) {
	d := open(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	quoted := `"` + canary + `"`
	long := `"` + strings.Repeat("a", 129) + `"`
	for _, test := range []struct {
		name, body, field string
	}{
		{"nothing", " ", "body"},
		{"not JSON", canary, "body"},
		{"a string", quoted, "body"},
		{"a list", `["` + canary + `"]`, "body"},
		{"null", "null", "body"},
		{"an open object", `{"text":` + quoted, "body"},
		{"an open string", `{"text":"` + canary, "text"},
		{"trailing bytes", with("locale", `"en"`) + canary, "body"},
		{"two documents", with("locale", `"en"`) + with("locale", `"en"`), "body"},
		{"a byte order mark", "\ufeff" + with("locale", `"en"`), "body"},
		{"a trailing comma", `{"kind":"message",}`, "body"},
		{"a comment", `{/*` + canary + `*/}`, "body"},
		{"single quotes", `{'kind':'message'}`, "body"},
		{"an unquoted name", `{kind:"message"}`, "body"},
		{"a missing colon", `{"kind" "message"}`, "body"},
		{"an unknown field", with("txet", quoted), "txet"},
		{"an unknown field with an object", with("meta", `{"x":[1,`+quoted+`]}`), "meta"},
		{"an unknown field that is no name", with(canary, "1"), "?"},
		{"an unknown field in words", with("hello my friend", "1"), "?"},
		{"a field twice", with("text", quoted), "text"},
		{"a field twice by an escape", with(`te\u0078t`, quoted), "text"},
		{"a field in the wrong case", with("Locale", quoted), "Locale"},
		{"a field in capitals", with("EXTERNAL_ID", quoted), "EXTERNAL_ID"},
		{"a field in camel case", with("externalId", quoted), "externalId"},
		{"a name with a space", with("text ", quoted), "?"},
		{"an empty name", with("", quoted), "?"},
		{"a prototype", with("__proto__", `{"x":`+quoted+`}`), "__proto__"},
		{"invalid UTF-8 in text", instead("text", "\"\xff"+canary+`"`), "text"},
		{"an overlong encoding", instead("text", "\"\xc0\xaf"+canary+`"`), "text"},
		{"a surrogate in UTF-8", instead("text", "\"\xed\xa0\x80"+canary+`"`), "text"},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", "body"},
		{"invalid UTF-8 in an unknown field", with("x", "\"\xfe"+canary+`"`), "body"},
		{"a lone high surrogate", instead("text", `"\ud83d`+canary+`"`), "text"},
		{"a lone low surrogate", instead("text", `"\ude00`+canary+`"`), "text"},
		{"two high surrogates", instead("text", `"\ud83d\ud83d`+canary+`"`), "text"},
		{"a NUL", instead("text", `"`+canary+`\u0000"`), "text"},
		{"a raw NUL", instead("text", "\""+canary+"\x00\""), "text"},
		{"a raw new line", instead("text", "\""+canary+"\n\""), "text"},
		{"a bad escape", instead("text", `"`+canary+`\x41"`), "text"},
		{"a cut escape", `{"text":"\u00`, "text"},
		{"nested too deep", with("meta", deep), "meta"},
		{"nested 20,000 deep", strings.Repeat("[", 20_000), "body"},
		{"20,000 objects deep", strings.Repeat(`{"kind":`, 20_000), "kind"},
		{"kind missing", `{"text":` + quoted + `,"sender":{"id":"a"}}`, "kind"},
		{"kind null", instead("kind", "null"), "kind"},
		{"kind unknown", instead("kind", quoted), "kind"},
		{"kind in capitals", instead("kind", `"Message"`), "kind"},
		{"kind a number", instead("kind", "1"), "kind"},
		{"text missing", `{"kind":"message","sender":{"id":"a"}}`, "text"},
		{"text empty", instead("text", `""`), "text"},
		{"text null", instead("text", "null"), "text"},
		{"text a number", instead("text", "17"), "text"},
		{"text an object", instead("text", `{"`+canary+`":1}`), "text"},
		{"text a list", instead("text", `[`+quoted+`]`), "text"},
		{"text true", instead("text", "true"), "text"},
		{"text too long", instead("text", `"`+strings.Repeat("字", 100_001)+`"`), "text"},
		{"sender missing", `{"kind":"message","text":` + quoted + `}`, "sender"},
		{"sender a string", instead("sender", quoted), "sender"},
		{"sender without id", instead("sender", `{"age":9}`), "sender.id"},
		{"sender id empty", instead("sender", `{"id":""}`), "sender.id"},
		{"sender id a number", instead("sender", `{"id":7}`), "sender.id"},
		{"sender id too long", instead("sender", `{"id":`+long+`}`), "sender.id"},
		{"sender id with a space", instead("sender", `{"id":"`+canary+` x"}`), "sender.id"},
		{"sender id in Chinese", instead("sender", `{"id":"小明"}`), "sender.id"},
		{"sender id with a NUL", instead("sender", `{"id":"\u0000"}`), "sender.id"},
		{"sender with a name", instead("sender", `{"id":"a","name":`+quoted+`}`), "sender.name"},
		{"sender id twice", instead("sender", `{"id":"a","id":`+quoted+`}`), "sender.id"},
		{"age below", instead("sender", `{"id":"a","age":-1}`), "sender.age"},
		{"age above", instead("sender", `{"id":"a","age":121}`), "sender.age"},
		{"age huge", instead("sender", `{"id":"a","age":99999999999999999999}`), "sender.age"},
		{"age a fraction", instead("sender", `{"id":"a","age":9.0}`), "sender.age"},
		{"age with an exponent", instead("sender", `{"id":"a","age":1e1}`), "sender.age"},
		{"age a string", instead("sender", `{"id":"a","age":"9"}`), "sender.age"},
		{"age with a leading zero", instead("sender", `{"id":"a","age":09}`), "sender.age"},
		{"age with a plus", instead("sender", `{"id":"a","age":+9}`), "sender.age"},
		{"age in hexadecimal", instead("sender", `{"id":"a","age":0x9}`), "sender"},
		{"age not a number", instead("sender", `{"id":"a","age":NaN}`), "sender.age"},
		{"age true", instead("sender", `{"id":"a","age":true}`), "sender.age"},
		{"recipients an object", with("recipients", `{"id":"b"}`), "recipients"},
		{"a recipient a string", with("recipients", `[`+quoted+`]`), "recipients[0]"},
		{"a recipient null", with("recipients", `[null]`), "recipients[0]"},
		{"the third recipient's age", with("recipients", `[{"id":"b"},{"id":"c"},{"id":"d","age":200}]`), "recipients[2].age"},
		{"the second recipient's field", with("recipients", `[{"id":"b"},{"id":"c","phone":`+quoted+`}]`), "recipients[1].phone"},
		{"too many recipients", with("recipients", `[`+strings.Repeat(`{"id":"b"},`, 500)+`{"id":"b"}]`), "recipients"},
		{"a trailing comma in recipients", with("recipients", `[{"id":"b"},]`), "recipients[1]"},
		{"external id empty", with("external_id", `""`), "external_id"},
		{"external id too long", with("external_id", long), "external_id"},
		{"external id with a control character", with("external_id", `"a\u0007"`), "external_id"},
		{"conversation id too long", with("conversation_id", long), "conversation_id"},
		{"audience unknown", instead("text", quoted+`,"audience":`+quoted), "audience"},
		{"locale no tag", with("locale", `"`+canary+`"`), "locale"},
		{"locale with an underscore", with("locale", `"zh_CN"`), "locale"},
		{"locale empty", with("locale", `""`), "locale"},
		{"sent_at no time", with("sent_at", quoted), "sent_at"},
		{"sent_at a number", with("sent_at", "1700000000"), "sent_at"},
		{"sent_at without a zone", with("sent_at", `"2026-01-02T03:04:05"`), "sent_at"},
		{"sent_at far ahead", with("sent_at", `"2999-01-02T03:04:05Z"`), "sent_at"},
		{"a message with an upload", with("upload_id", `"up_1"`), "upload_id"},
		{"a photo without content", instead("kind", `"photo"`), "upload_id"},
		{"a video without content", instead("kind", `"video"`), "upload_id"},
		{"a photo of an unknown upload", instead("kind", `"photo","upload_id":"`+canary+`"`), "upload_id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.in(t)
			res := d.ask("POST", "/v1/items", test.body)
			if got := res.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("got content type %q", got)
			}
			body := d.bodyOf(res, 422)
			if !strings.Contains(body, `{"field":"`+test.field+`",`) {
				t.Errorf("got %s, want field %s", body, test.field)
			}
			if strings.Contains(body, canary) || strings.Contains(d.log.String(), canary) {
				t.Errorf("the body came back in the answer or the log: %s", body)
			}
		})
	}
}
