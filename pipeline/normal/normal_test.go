package normal

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// last returns the plainest reading of text.
func last(text string) string {
	v := Readings(text)
	return v[len(v)-1].Text
}

func TestDisguisedWordsAreReadAsWhatTheySay(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"full width", "ｓｅｃｒｅｔ", "secret"},
		{"circled letters", "ⓢⓔⓒⓡⓔⓣ", "secret"},
		{"mathematical letters", "𝓼𝓮𝓬𝓻𝓮𝓽", "secret"},
		{"squared letters", "🅂🄴🄲🅁🄴🅃", "secret"},
		{"regional indicators", "🇰🇾🇸", "kys"},
		{"Cyrillic look-alikes", "sесrеt", "secret"},
		{"wholly Cyrillic look-alikes", "сосо", "coco"},
		{"Greek look-alikes", "sεcrεt", "secret"},
		{"accents", "sécrèt", "secret"},
		{"stacked marks", "s̴̢̛e̵͝c̶r̷e̸t̴", "secret"},
		{"zero width", "se\u200bcr\u200det", "secret"},
		{"soft hyphen", "se\u00adcret", "secret"},
		{"what is shown from right to left", "\u202eterces\u202c ok", "secret ok"},
		{"a right-to-left override up to the line's end", "\u202e杀自想我", "我想自杀"},
		{"isolates", "\u2066secret\u2069", "secret"},
		{"an iPhone's apostrophe", "I’ll kill you", "i'll kill you"},
		{"blanks that look like none", "send\u2800me\u3164it", "send me it"},
		{"two blanks", "send  me\u2003\u2003it", "send me it"},
		{"a line break in a sentence", "send me\nyour address", "send me your address"},
		{"zero width inside words", "k\u200bill your\u200bself", "kill yourself"},
		{"Cyrillic marks inside words", "ki\u0489ll", "kill"},
		{"white on black", "🅺🅸🅻🅻", "kill"},
		{"small capitals", "ᴋɪʟʟ ʏᴏᴜʀsᴇʟꜰ", "kill yourself"},
		{"hooks and tails", "ʂɛŋɖ", "send"},
		{"words wholly of look-alikes beside mixed ones", "меет ме аlопе", "meet me alone"},
		{"colons between letters", "s:e:n:d it", "send it"},
		{"sparkles between letters", "s✨e✨n✨d it", "send it"},
		{"a letter a line", "s\ne\nn\nd", "send"},
		{"brackets around each character", "【我】【想】【自】【杀】", "【我想自杀】"},
		{"brackets around each letter", "[s][e][n][d]", "[send]"},
		{"tag characters", "secret\U000e0041", "secret"},
		{"variation selectors", "s\ufe0fecret", "secret"},
		{"a joiner in Han", "自\u200d杀", "自杀"},
		{"traditional", "別告訴媽媽", "别告诉妈妈"},
		{"leet", "s3cr3t", "secret"},
		{"leet at an edge", "k1ll y0ur53lf", "kill yourself"},
		{"l as one", "ki11", "kill"},
		{"dots", "s.e.c.r.e.t", "secret"},
		{"blanks", "s e c r e t", "secret"},
		{"hyphens", "k-y-s", "kys"},
		{"a gap in a word", "se-cret", "secret"},
		{"a mask", "f*ck", "fuck"},
		{"drawn out", "sooooo seeeecret", "so secret"},
		{"doubled where the word is", "kiiillll", "kill"},
		{"blanks in Han", "加 微 信", "加微信"},
		{"signs between short pieces of Han", "线-下-奔现-吗", "线下奔现吗"},
		{"dots between pieces of words", "b·l·a·ck f·or o·nl·y", "black for only"},
		{"slashes between Han", "想我/发/张/照片", "想我发张照片"},
		{"leet in words nobody listed", "j3r$3y 57@nd f0r t@lk fu11 pan!c", "jersey stand for talk full panic"},
		{"hyphens in Han", "加-微-信", "加微信"},
		{"a gap in a phrase", "自-杀", "自杀"},
		{"dots after a shortened word", "don't t.e.l.l", "don't tell"},
		{"a blank before dots", "i s.e.c.r.e.t", "i secret"},
		{"plus v", "+v", "+微信"},
		{"emoji for a word", "给我💰", "给我钱"},
		{"emoji in English", "i have a 🔪", "i have a knife"},
		{"pinyin apart", "jia wei xin", "加微信"},
		{"pinyin together", "jiaweixin", "加微信"},
		{"pinyin with tones in digits", "zi4 sha1", "自杀"},
		{"pinyin among Han", "我想zisha", "我想自杀"},
		{"pinyin phrase", "bie gaosu mama", "别告诉妈妈"},
		{"initials", "加v", "加微信"},
		{"initials with an account", "vx abc12345", "微信 abc12345"},
		{"homophone", "不想火了", "不想活了"},
		{"homophone of a short word in its place", "我想紫砂", "我想自杀"},
		{"the same by another name", "给爷紫衫，别污染评论区", "给爷自杀,别污染评论区"},
		{"a digit for a sound", "你去4吧", "你去死吧"},
		{"a penguin", "加我🐧", "加我qq"},
		{"a ball", "球球号多少", "qq多少"},
		{"four strokes", "你怎么还不亖", "你怎么还不死"},
		{"initials of an insult in their place", "你个fw别玩了", "你个废物别玩了"},
		{"a coined word", "go unalive yourself", "go kill yourself"},
		{"a word of dealers", "飞叶子不", "抽大麻不"},
		{"an emoji for a place", "🔫🏫 tmrw", "gun school tmrw"},
		{"a green heart", "加💚", "加微信"},
		{"split characters", "加彳山兀攵亻言", "加微信"},
		{"split characters of no known phrase", "做我小女朋友口巴 手戈人云对你好的", "做我小女朋友吧 我会对你好的"},
		{"a split character in a phrase", "别口斥诉", "别口斥诉"},
		{"a character of two parts", "弓虽", "弓虽"},
		{"the shop word", "加我威信", "加我微信"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := last(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// benign are texts that look like disguises and are none.
var benign = []string{
	"3.14159 is pi", "I have 15 apples and 7 pears", "call room 4b at 10:30", "iphone15 and ps5", "mp3 player", "h2o and co2",
	"b2b 4u gr8 l8r", "1st 2nd 3rd 4th", "version 2.0.1", "see you at 7pm", "my score is 100/100", "3+4=7", "x1 y2 z3", "covid19", "win10 pc",
	"a b c", "A, B, C or D?", "1 2 3 4 5", "www.example.com", "e.g. this one", "u.s.a", "t-shirt and x-ray", "wi-fi", "it's he'll we'll",
	"紫砂壶", "紫衫龙王真好看", "她今天穿紫衫", "给爷爷买紫砂壶", "爷爷的紫砂杯", "想买紫砂壶", "去紫砂博物馆", "威信很高", "有威信的班长", "卫星上天", "企鹅住在南极", "薇薇姐姐", "徽章真好看", "维生素",
	"wx 是天气 weather", "天气wx预报", "zs", "张三 zs", "加法和减法", "加油", "加V领毛衣", "加湿器", "加薇薇一起玩", "女子组第一名", "好女子",
	"弓和箭", "人言可畏", "口吃", "马口铁", "床前明月光 疑是地上霜", "白日依山尽 黄河入海流", "春 眠 不 觉 晓", "一去二三里 烟村四五家",
	"ni hao", "wo ai beijing", "bo po mo fo", "shang xue", "xue sheng", "zi xing che", "wo de ming zi jiao xiao ming", "Jiawei is my friend", "Zisha teapot",
	"你去思考一下", "你去四年级问问", "我不想获奖", "不想或者说还没想好", "妈妈打电话好吗", "支付包装费", "我爸加我微信了",
	"I’m a b, c or d?", "so drunk on ribena rn", "women and children first is a maritime tradition", "a) b) c)", "我\n和\n你",
	"去死海旅游", "死记硬背", "四十四只石狮子", "去4班", "去4号楼", "8点半", "6月1日", "5毛钱", "第4名", "哈哈哈哈", "66666", "23333", "啊啊啊啊啊",
	"加一勺盐 两勺糖", "200克面粉 3个鸡蛋", "3/4杯牛奶", "打4折", "不要火", "我想吃火锅", "别高速开车", "别告白", "家微波炉", "小明的微信头像", "微信支付",
	"привет мир", "это кот", "καλημέρα", "こんにちは", "안녕하세요", "café résumé", "naïve", "El niño", "100%", "C++", "C3PO and R2D2", "k12 school", "🎂🎉", "😂😂😂", "❤️", "🐧好可爱", "💚💚", "大草原", "煞风景", "沙比亚", "杀毒软件", "傻傻的小狗", "球球加油", "fw 190 战斗机", "NT$100", "nt工作站", "zz睡着了", "nc机床", "rz考试", "叶子飞了", "unaliveness", "企鹅号召大家", "不想祸害人家", "手机好用不", "加我围脖", "XXX同学", "3+v=5", "a+v", "AAAA级景区",
}

func TestBenignTextsKeepTheirMeaning(t *testing.T) {
	harmful := []string{"自杀", "微信", "去死", "傻逼", "约炮", "裸照", "kill", "kys", "secret", "sex", "qq", "告诉", "转我", "废物", "脑残", "脑瘫", "智障", "弱智", "大麻"}
	for _, text := range benign {
		folded := Fold(text)
		for _, v := range Readings(text)[1:] {
			for _, w := range harmful {
				if strings.Contains(v.Text, w) && !strings.Contains(folded, w) {
					t.Errorf("%q: %s reads %q, which says %q", text, v.Name, v.Text, w)
				}
			}
			t.Logf("%-30s %-10s %s", text, v.Name, v.Text)
		}
	}
}

func TestWhatTheModelsWouldNotReadHasAViewOfItsOwn(t *testing.T) {
	for text, want := range map[string]string{
		"skip di\u200bnner all week": "skip dinner all week",
		"ki\u0489ll it":              "kill it",
		"🆂🅺🅸🅿 dinner":                "skip dinner",
		"\u202e死打人找\u202c":           "找人打死",
		"别\ufeff告诉妈妈":                "别告诉妈妈",
	} {
		if got := Views(text); len(got) < 2 || got[1].Text != want {
			t.Errorf("%q: got %v, want a view that reads %q", text, got, want)
		}
	}
	if got := Views("I’ll go, don‘t wait"); len(got) != 1 || got[0].Text != "I'll go, don't wait" {
		t.Errorf("got %v, want one view with plain apostrophes", got)
	}
}

func TestAPlainTextHasOneViewWhateverItsCaseWidthAndMarks(t *testing.T) {
	for _, text := range []string{"", "hello", "HELLO", "ｈｅｌｌｏ，", "你好，世界！", "繁體中文", "café", "哈哈哈哈", "\u200bab ", "👨\u200d👩\u200d👧", "the 🇨🇳 flag", "  two  blanks ", "6666"} {
		views := Views(text)
		if len(views) != 1 || views[0].Text != text || views[0].Name != Raw {
			t.Errorf("%q: got %v, want only the text itself", text, views)
		}
	}
}

func TestEvidenceStandsWhereItStoodInTheOriginal(t *testing.T) {
	tests := []struct{ text, find, want string }{
		{"hey k1ll y0urself now", "kill yourself", "k1ll y0urself"},
		{"这是 ⓚⓨⓢ 哦", "kys", "ⓚⓨⓢ"},
		{"你好 jia wei xin 哈", "加微信", "jia wei xin"},
		{"你好 s.e.c.r.e.t!", "secret", "s.e.c.r.e.t"},
		{"我🔪你", "刀", "🔪"},
		{"x\u200b\u200bse\u200bcret", "secret", "se\u200bcret"},
		{"不不不想火了吧", "想活", "想火"},
		{"sooooo ok", "so", "sooooo"},
		{"𝓼𝓮𝓬𝓻𝓮𝓽 x", "secret", "𝓼𝓮𝓬𝓻𝓮𝓽"},
	}
	for _, tt := range tests {
		views := Readings(tt.text)
		v := views[len(views)-1]
		at := strings.Index(v.Text, tt.find)
		if at < 0 {
			t.Errorf("%q: %q not in %q", tt.text, tt.find, v.Text)
			continue
		}
		start := utf8.RuneCountInString(v.Text[:at])
		a, b := v.Original(start, start+utf8.RuneCountInString(tt.find))
		if got := string([]rune(tt.text)[a:b]); got != tt.want {
			t.Errorf("%q: %q is at %q, want %q", tt.text, tt.find, got, tt.want)
		}
	}
}

// hostile are texts made to cost time or memory.
func hostile(n int) map[string]string {
	return map[string]string{
		"combining marks":  "a" + strings.Repeat("\u0301", n),
		"one letter":       strings.Repeat("a", n),
		"letters and gaps": strings.Repeat("a.", n/2),
		"Han and gaps":     strings.Repeat("加 ", n/2),
		"half a phrase":    strings.Repeat("别告", n/2),
		"pinyin":           strings.Repeat("jia wei ", n/8),
		"ligatures":        strings.Repeat("\ufdfa", n),
		"emoji":            strings.Repeat("🔪", n),
		"look-alikes":      strings.Repeat("а", n),
		"leet":             strings.Repeat("k1", n/2),
		"broken bytes":     strings.Repeat("\xff", n),
		"nul":              strings.Repeat("\x00", n),
		"parts":            strings.Repeat("口", n),
		"stars":            strings.Repeat("f*", n/2),
		"aliases":          strings.Repeat("vx", n/2),
		"apart aliases":    strings.Repeat("v ", n/2),
	}
}

func TestTheWorkGrowsNoFasterThanTheText(t *testing.T) {
	// Memory stands for work here: it does not depend on how busy the machine is.
	for name, text := range hostile(20_000) {
		small := testing.AllocsPerRun(1, func() { Readings(text) })
		double := testing.AllocsPerRun(1, func() { Readings(text + text) })
		if double > 2*small+60 {
			t.Errorf("%s: %v allocations, then %v for twice the text", name, small, double)
		}
	}
}

func checkReading(t *testing.T, text string) {
	t.Helper()
	n := utf8.RuneCountInString(text)
	for _, v := range Readings(text) {
		count, from := utf8.RuneCountInString(v.Text), 0
		for i := range count {
			a, b := v.Original(i, i+1)
			if a < from && !strings.ContainsRune(text, '\u202e') || b <= a || b > n {
				t.Fatalf("%q: %s %d is at %d to %d, after %d of %d", text, v.Name, i, a, b, from, n)
			}
			from = a
		}
		if count > 0 {
			if a, b := v.Original(0, count); a < 0 || b > n {
				t.Fatalf("%q: %s as a whole is at %d to %d of %d", text, v.Name, a, b, n)
			}
		}
		if got := Fold(v.Text); got != v.Text {
			t.Fatalf("%q: %s reads %q, which folds to %q", text, v.Name, v.Text, got)
		}
	}
	once, _ := settled(text)
	if again, changed := settled(once); changed {
		t.Fatalf("%q: reading %q once more gives %q", text, once, again)
	}
}

// settled is the plainest reading without guesses by sound, which may go on from
// one guess to the next, and whether it differs in content.
func settled(text string) (string, bool) {
	s := &scratch{}
	s.fold(tables(), text)
	changed := s.normalise(tables())
	changed = s.phrases(tables()) || changed
	return s.text(), changed
}

func TestReadingWhatWasReadChangesNothing(t *testing.T) {
	for _, text := range benign {
		checkReading(t, text)
	}
	for _, text := range hostile(400) {
		checkReading(t, text)
	}
}

func FuzzReadings(f *testing.F) {
	for _, text := range benign {
		f.Add(text)
	}
	for _, text := range hostile(64) {
		f.Add(text)
	}
	for _, text := range []string{"k1ll y0ur53lf", "加 w e i xin", "s.e.c r e t", "s e x.y s e x", "f**k*ck", "🔪🔪kiiill", "jia w3i", "v v v x", "去去去4死"} {
		f.Add(text)
	}
	f.Fuzz(checkReading)
}
