package rules

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"nightlight/pipeline"
)

func TestTheTableCoversEveryTextLabelWithExamples(t *testing.T) {
	have, hits, misses := map[pipeline.Label]bool{}, 0, 0
	seen := map[string]bool{}
	for _, e := range readTable() {
		if !e.Label.Known() || e.Score < 0.45 || e.Score > 0.95 || len(e.Hit) < 3 || len(e.Miss) < 3 || seen[e.ID] {
			t.Errorf("%s: label %s, score %.2f, %d hits and %d misses", e.ID, e.Label, e.Score, len(e.Hit), len(e.Miss))
		}
		seen[e.ID] = true
		have[e.Label] = true
		hits, misses = hits+len(e.Hit), misses+len(e.Miss)
	}
	for _, l := range pipeline.TextLabels {
		if !have[l] {
			t.Errorf("%s: no rule", l)
		}
	}
	if hits < 400 || misses < 400 {
		t.Errorf("got %d hits and %d misses, want 400 of each", hits, misses)
	}
}

func TestContactsAreReadHoweverTheyAreSpelt(t *testing.T) {
	tests := []struct {
		text  string
		label pipeline.Label
		want  bool
	}{
		{"我电话13912345678", pipeline.PrivacyGives, true},
		{"139 1234 5678", pipeline.PrivacyGives, true},
		{"１３９１２３４５６７８", pipeline.PrivacyGives, true},
		{"一三九一二三四五六七八 打给我", pipeline.PrivacyGives, true},
		{"幺三九 一二三四 五六七八", pipeline.PrivacyGives, true},
		{"壹叁玖壹贰叁肆伍陆柒捌", pipeline.PrivacyGives, true},
		{"+86 139-1234-5678", pipeline.PrivacyGives, true},
		{"+44 7700 900123", pipeline.PrivacyGives, true},
		{"my cell (415) 555-0132", pipeline.PrivacyGives, true},
		{"①③⑨①②③④⑤⑥⑦⑧", pipeline.PrivacyGives, true},
		{"我电话13912345678 8点打给我", pipeline.PrivacyGives, true},
		{"我电话13912345678 一起玩", pipeline.PrivacyGives, true},
		{"我电话13912345678一起玩", pipeline.PrivacyGives, true},
		{"手机2 13912345678", pipeline.PrivacyGives, true},
		{"13912345678 13812345679", pipeline.PrivacyGives, true},
		{"call me 415 555 0132 3pm", pipeline.PrivacyGives, true},
		{"给 一三九 一二三四 五六七八 两次", pipeline.PrivacyGives, true},
		{"身份证110101199003078515 1张", pipeline.PrivacyGives, true},
		{"1 3 9 1 2 3 4 5 6 7 8 9 10 11", pipeline.PrivacyGives, false},
		{"200 300 400 5000 6000", pipeline.PrivacyGives, false},
		{"scores 415 555 0132 777 888", pipeline.PrivacyGives, false},
		{"110101200503073976", pipeline.PrivacyGives, false},
		{"11010120050307397X", pipeline.PrivacyGives, false},
		{"快递单号 13912345678", pipeline.PrivacyGives, false},
		{"13888888888", pipeline.PrivacyGives, false},
		{"圆周率 3.14159265358979", pipeline.PrivacyGives, false},
		{"139123456789012", pipeline.PrivacyGives, false},
		{"一二三四五六七八九十", pipeline.PrivacyGives, false},
		{"2024-11-23 10:30:00", pipeline.PrivacyGives, false},
		{"他的电话 13912345678", pipeline.BullyingDoxxing, true},
		{"1234567 + 7654321 = 8888888", pipeline.PrivacyGives, false},
		{"call 1-800-273-8255 please, they help", pipeline.PrivacyGives, false},
		{"Kids Help Phone 1-800-668-6868", pipeline.PrivacyGives, false},
		{"800-273-8255", pipeline.PrivacyGives, false},
		{"Childhelp 1-800-422-4453", pipeline.PrivacyGives, false},
		{"400 820 8820", pipeline.PrivacyGives, false},
		{"+1 800 273 8255", pipeline.PrivacyGives, false},
		{"call 18002738255, they help", pipeline.PrivacyGives, false},
		{"the lifeline is 13912345678", pipeline.PrivacyGives, false},
		{"根号3约等于1.7320508075", pipeline.PrivacyGives, false},
		{"1.4142135623", pipeline.PrivacyGives, false},
		{"比分 15-13 14-16 15-1", pipeline.PrivacyGives, false},
		{"身高170 165 168 18岁", pipeline.PrivacyGives, false},
		{"1 4 9 16 25 36 49", pipeline.PrivacyGives, false},
		{"1.5 1.8 2.3 4.5 6.7 9", pipeline.PrivacyGives, false},
		{"数列 1 3 5 7 9 2 4 6 8 1 0", pipeline.PrivacyGives, false},
		{"score 300 250 1200", pipeline.PrivacyGives, false},
		{"my brother got 234 567 8901 points", pipeline.PrivacyGives, false},
		{"物流:13912345678", pipeline.PrivacyGives, false},
		{"准考证号 15012345678", pipeline.PrivacyGives, false},
		{"游戏ID 15812345678", pipeline.PrivacyGives, false},
		{"抽奖码 15812345678", pipeline.PrivacyGives, false},
		{"房间号 15812345678", pipeline.PrivacyGives, false},
		{"学校电话010-62345678", pipeline.PrivacyGives, false},
		{"i have 4155550132 coins", pipeline.PrivacyGives, false},
		{"1390 1234567", pipeline.PrivacyGives, false},
		{"139,1234,5678", pipeline.PrivacyGives, true},
		{"139，1234，5678", pipeline.PrivacyGives, true},
		{"139—1234—5678", pipeline.PrivacyGives, true},
		{"139:1234:5678", pipeline.PrivacyGives, true},
		{"139……1234……5678", pipeline.PrivacyGives, true},
		{"139😀1234😀5678", pipeline.PrivacyGives, true},
		{"139 - 1234 - 5678", pipeline.PrivacyGives, true},
		{"139*1234|5678", pipeline.PrivacyGives, true},
		{"一三九，一二三四，五六七八 打给我", pipeline.PrivacyGives, true},
		{"139 1234 56 78 打给我", pipeline.PrivacyGives, true},
		{"我的 1370000 0088", pipeline.PrivacyGives, true},
		{"1391234五六七八", pipeline.PrivacyGives, true},
		{"1 3 9 1 2 3 4 5 6 7 8", pipeline.PrivacyGives, true},
		{"我电话 1 3 9 1 2 3 4 5 6 7 8 哦", pipeline.PrivacyGives, true},
		{"我家电话010-62345678", pipeline.PrivacyGives, true},
		{"打我家座机 0571-87654321", pipeline.PrivacyGives, true},
		{"4155550132", pipeline.PrivacyGives, true},
		{"!!! 415 555 0132 !!!", pipeline.PrivacyGives, true},
		{strings.Repeat("!", 300) + "415 555 0132", pipeline.PrivacyGives, false}, // not all of a long text is read for each number
		{"my number is 415 555 0132", pipeline.PrivacyGives, true},
		{"07911 123456", pipeline.PrivacyGives, true},
		{"text me on 07911 123456", pipeline.PrivacyGives, true},
		{"快递到了 我电话13912345678", pipeline.PrivacyGives, true},
		{"in order to call me use 13912345678", pipeline.PrivacyGives, true},
		{"call me in order to talk 415-555-0132", pipeline.PrivacyGives, true},
		{"加我微信id 13912345678", pipeline.PrivacyGives, true},
		{"call this number 13912345678", pipeline.PrivacyGives, true},
		{"this is me 415-555-0132", pipeline.PrivacyGives, true},
		{"my mother has 415-555-0132", pipeline.PrivacyGives, true},
		{"call this number 13912345678", pipeline.BullyingDoxxing, false},
		{"this is me 415-555-0132", pipeline.BullyingDoxxing, false},
		{"my mother has 415-555-0132", pipeline.BullyingDoxxing, false},
		{"another one 13912345678", pipeline.BullyingDoxxing, false},
		{"其他的 13912345678", pipeline.BullyingDoxxing, false},
		{"her number's 415-555-0132", pipeline.BullyingDoxxing, true},
		{"加v abc778899", pipeline.PrivacyGives, true},
		{"加我🐧 123456789", pipeline.PrivacyGives, true},
		{"jia wo wei xin abc_12345", pipeline.PrivacyGives, true},
	}
	r := New()
	for _, tt := range tests {
		if got := scoreOf(classify(t, r, tt.text), tt.label); (got >= 0.5) != tt.want {
			t.Errorf("%q: got %s %.2f, want a hit: %v", tt.text, tt.label, got, tt.want)
		}
	}
}

func TestAnIdentityCardCountsOnlyWithItsCheckSum(t *testing.T) {
	// Made up: a place code that does not exist, with a right check sum.
	good := "99999920080808"
	for n := 100; n < 130; n++ {
		body := good + string([]byte{'0' + byte(n/100), '0' + byte(n/10%10), '0' + byte(n%10)})
		valid := 0
		for _, check := range "0123456789x" {
			if identityCard(body + string(check)) {
				valid++
			}
		}
		if valid != 1 {
			t.Errorf("%s: got %d valid check signs, want 1", body, valid)
		}
	}
}

func TestWhoAsksAndWhoGivesAreToldApart(t *testing.T) {
	r := New()
	for _, tt := range []struct {
		text        string
		asks, gives bool
	}{
		{"你电话多少", true, false},
		{"我电话13912345678", false, true},
		{"what's your number", true, false},
		{"my number is 555-0142 99", false, true},
		{"你住哪个小区", true, false},
		{"我家住阳光小区3栋", false, true},
		{"我的微信是lulu2013 你的微信多少", true, true},
	} {
		s := classify(t, r, tt.text)
		if asks, gives := scoreOf(s, pipeline.PrivacyAsks) >= 0.5, scoreOf(s, pipeline.PrivacyGives) >= 0.5; asks != tt.asks || gives != tt.gives {
			t.Errorf("%q: got asks %v gives %v, want %v %v", tt.text, asks, gives, tt.asks, tt.gives)
		}
	}
}

func TestABareNumberGivesAContactOnlyAfterSomebodyAsked(t *testing.T) {
	r := New()
	other := func(text string) pipeline.Turn { return pipeline.Turn{From: pipeline.Other, Text: text} }
	self := func(text string) pipeline.Turn { return pipeline.Turn{From: pipeline.Self, Text: text} }
	for _, tt := range []struct {
		before []pipeline.Turn
		text   string
		want   bool
	}{
		{nil, "98765432", false},
		{[]pipeline.Turn{other("你qq多少")}, "98765432", true},
		{[]pipeline.Turn{other("1111乘以8888是多少")}, "98765432", false},
		{[]pipeline.Turn{other("你QQ多少")}, "我的是12345678", true},
		{[]pipeline.Turn{other("你QQ多少")}, "12345678呀", true},
		{[]pipeline.Turn{other("你QQ多少")}, "12345678 你加我吧", true},
		{[]pipeline.Turn{other("你QQ多少")}, "12345678😊", true},
		{[]pipeline.Turn{other("你QQ多少"), self("等下")}, "12345678", true},
		{[]pipeline.Turn{other("你电话多少"), self("等下"), self("我找找")}, "是 555-0142!", true},
		{[]pipeline.Turn{other("whats ur snap")}, "its fox_99", true},
		{[]pipeline.Turn{other("whats ur snap")}, "bunny.hop0", true},
		{[]pipeline.Turn{other("你QQ多少"), other("算了")}, "12345678", false},
		{[]pipeline.Turn{other("where do you live")}, "15:30", false},
		{[]pipeline.Turn{other("where do you live")}, "at 15:30", false},
		{[]pipeline.Turn{other("where do you live")}, "10:30:00", false},
		{[]pipeline.Turn{other("send me your address")}, "no 911", false},
		{[]pipeline.Turn{other("do you have discord?")}, "i am busy till 1030", false},
		{[]pipeline.Turn{other("do you have discord?")}, "no im at lvl 100", false},
		{[]pipeline.Turn{other("do you have discord?")}, "lvl100", false},
		{[]pipeline.Turn{other("can i get your number?")}, "no lol 100 percent no", false},
		{[]pipeline.Turn{other("can i get your number?")}, "ok...", false},
		{[]pipeline.Turn{other("what school do you go to")}, "is 2024 ok", false},
		{[]pipeline.Turn{other("你QQ多少")}, "不给 12345", false},
		{[]pipeline.Turn{other("你QQ多少")}, "2024-11-23", false},
		{[]pipeline.Turn{other("你QQ多少")}, "10000个赞", false},
	} {
		s, err := r.ClassifyText(context.Background(), pipeline.Text{Text: tt.text, Context: tt.before})
		if err != nil {
			t.Fatal(err)
		}
		if got := scoreOf(s, pipeline.PrivacyGives); (got >= 0.5) != tt.want {
			t.Errorf("%q after %v: got %.2f, want a hit: %v", tt.text, tt.before, got, tt.want)
		}
	}
}

func TestWhatAGrownUpMaySayToAChildIsNotHeld(t *testing.T) {
	r, p := New(), pipeline.DefaultPolicy()
	grown, child := 40, 10
	for _, text := range []string{
		"tomorrow i'll send you the photos", "不懂的话把截图发给老师", "take off your shirt, it's dirty", "take your pants to the wash", "delete this message please",
		"your mom can't see well", "这是我们的秘密武器", "你学校什么时候放假", "put your phone, keys and wallet in the bag",
		"or i can send you the photos", "没关系 不用把视频发给我", "pull up your pants", "our secret ingredient is honey",
	} {
		s, err := r.ClassifyText(context.Background(), pipeline.Text{Text: text, SenderAge: &grown, RecipientAge: &child})
		if err != nil {
			t.Fatal(err)
		}
		it := pipeline.Item{Sender: pipeline.Person{Age: &grown}, Recipients: []pipeline.Person{{Age: &child}}}
		if v := p.Judge(it, pipeline.Findings{Signals: s, Models: []pipeline.ModelRef{r.Ref()}}, time.Time{}); !pipeline.Hold.StricterThan(v.Action) {
			t.Errorf("%q: got %s for %v", text, v.Action, v.Reasons)
		}
	}
}

func TestADoubtInOnePieceIsOutweighedByAnother(t *testing.T) {
	text := "我想自杀 遇到你也没用。" + strings.Repeat("好", 1000) + "。我想自杀"
	if got := scoreOf(classify(t, New(), text), pipeline.SelfharmExpressed); got <= doubt {
		t.Errorf("got %.2f, want more than %.2f", got, doubt)
	}
}

func TestTheSameWordsWeighMoreFromAGrownUpToAChild(t *testing.T) {
	r := New()
	grown, child := 30, 10
	text := pipeline.Text{Text: "how old are you? are you home alone", SenderAge: &grown, RecipientAge: &child}
	raised, err := r.ClassifyText(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	text.SenderAge = &child
	plain, err := r.ClassifyText(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := scoreOf(raised, pipeline.GroomingAgeProbe), scoreOf(plain, pipeline.GroomingAgeProbe); a <= b || b < 0.5 {
		t.Errorf("got %.2f from a grown-up and %.2f from a child", a, b)
	}
}

// evasions are disguises of phrases that the table knows.
var evasions = []struct {
	name  string
	label pipeline.Label
	texts []string
}{
	{"leet", pipeline.SelfharmEncouraged, []string{"k1ll y0urself", "go k1ll y0ur53lf", "k.y.s", "k y s", "kуs", "ⓚⓨⓢ", "🇰🇾🇸", "ｋｙｓ", "k\u200by\u200bs"}},
	{"spacing", pipeline.SexualImageRequest, []string{"s e n d n u d e s now pls send nudes", "send n.u.d.e.s", "send n u d e s", "sеnd nudеs", "send nud3s", "send nuuuudes"}},
	{"pinyin", pipeline.SelfharmExpressed, []string{"wo xiang zi sha", "我想zisha", "我想紫砂", "我 想 自 杀", "我想自-杀", "wo xiang zisha", "我想自鲨"}},
	{"secrecy", pipeline.GroomingSecrecy, []string{"bie gaosu ni mama", "别 告 诉 你 妈 妈", "别告su你妈妈", "別告訴你媽媽", "别告诉你妈ma", "dont t3ll your mom"}},
	{"homophone", pipeline.SelfharmEncouraged, []string{"你去4吧", "你去屎吧", "你qu si吧", "你怎么不去si", "你去.死.吧"}},
	{"contact", pipeline.GroomingIsolation, []string{"加我薇信私聊", "加我v信私聊", "加我威信聊", "jia wo weixin 聊", "加.我.微.信.私.聊", "加我💚聊", "加我vx聊"}},
	{"insult", pipeline.BullyingInsult, []string{"你是煞笔吧", "你个沙比", "你真是sb吗", "f*ck you", "fuuuuck you", "stup1d b1tch", "ｆｕｃｋ you", "caonima"}},
	{"threat", pipeline.BullyingThreat, []string{"我要弄si你", "i will k1ll you", "da si ni", "放xue别走"}},
}

func TestDisguisedPhrasesStillFire(t *testing.T) {
	r := New()
	for _, e := range evasions {
		for _, text := range e.texts {
			if got := scoreOf(classify(t, r, text), e.label); got < 0.5 {
				t.Errorf("%s: %q: got %.2f, want a hit of %s", e.name, text, got, e.label)
			}
		}
	}
}

func TestTheSpanOfASignalIsInTheOriginalText(t *testing.T) {
	r := New()
	for _, tt := range []struct{ text, want string }{
		{"哈哈 k1ll y0urself ok", "k1ll y0urself"},
		{"喂 我电话１３９ 1234 5678 哦", "１３９ 1234 5678"},
		{"你好 bie gaosu ni mama", "bie gaosu ni mama"},
		{"𝓴𝔂𝓼!", "𝓴𝔂𝓼"},
	} {
		s := classify(t, r, tt.text)
		if len(s) == 0 {
			t.Errorf("%q: no signal", tt.text)
			continue
		}
		got := strings.TrimSpace(string([]rune(tt.text)[s[0].Start:s[0].End]))
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestALongTextIsReadToItsEnd(t *testing.T) {
	r := New()
	for _, at := range []int{0, 1000, 2040, 2048, 4090, 50_000} {
		text := strings.Repeat("好", at) + "。别告诉你妈妈" + strings.Repeat("好", 3000)
		s := classify(t, r, text)
		if scoreOf(s, pipeline.GroomingSecrecy) < 0.5 {
			t.Errorf("after %d characters: not found", at)
			continue
		}
		if got := string([]rune(text)[s[0].Start:s[0].End]); !strings.Contains(got, "告诉") {
			t.Errorf("after %d characters: span says %q", at, got)
		}
	}
}

func TestFloodsAreToldFromLaughter(t *testing.T) {
	r := New()
	for text, want := range map[string]bool{
		strings.Repeat("买买买 快来 ", 40):                      true,
		strings.Repeat("buy now at my shop! ", 20):         true,
		"@a1 @b2 @c3 @d4 @e5 @f6 @g7 come here all of you": true,
		strings.Repeat("哈", 300):                           false,
		strings.Repeat("ha", 200):                          false,
		strings.Repeat("6", 300):                           false,
		strings.Repeat("!", 300):                           false,
		"今天我们去了动物园,看到了大象、长颈鹿和猴子,然后吃了冰淇淋,回家的时候下雨了,妈妈来接我们,我很开心,晚上写了日记": false,
	} {
		if got := scoreOf(classify(t, r, text), pipeline.SpamFlood) >= 0.5; got != want {
			t.Errorf("%.30q: got %v, want %v", text, got, want)
		}
	}
}

func TestACancelledContextIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New().ClassifyText(ctx, pipeline.Text{Text: "hello"}); err == nil {
		t.Error("got no error")
	}
}

func FuzzClassifyText(f *testing.F) {
	r := New()
	for _, e := range readTable() {
		for _, text := range slices.Concat(e.Hit, e.Miss, e.Doubt) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := utf8.RuneCountInString(text)
		for _, s := range classify(t, r, text) {
			if !s.Label.Known() || !(s.Score > 0 && s.Score < 1) || s.Start < 0 || s.End > n || s.Start > s.End {
				t.Errorf("%q: %+v", text, s)
			}
		}
	})
}
